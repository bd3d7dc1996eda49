"""What the tests, the demo and the benchmarks of the template share: rendering projects and running real servers."""
