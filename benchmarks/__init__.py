"""Measurements of the template: ``make bench`` prints one table of ratios taken in one run."""
