"""What the tests share: the samples of a text in Prometheus' format."""

from prometheus_client.parser import text_string_to_metric_families

Labels = tuple[tuple[str, str], ...]


class Samples(dict[tuple[str, Labels], float]):
    """Values by name and sorted labels."""

    @classmethod
    def parse(cls, text: str) -> "Samples":
        """Read a text; what is not in the format raises."""
        return cls(
            ((sample.name, tuple(sorted(sample.labels.items()))), sample.value)
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        )

    def of(self, name: str, **labels: str) -> float:
        """Return one value; 0 while nothing was counted."""
        return self.get((name, tuple(sorted(labels.items()))), 0)

    def all(self, name: str) -> dict[Labels, float]:
        """Return the values of one name by labels."""
        return {labels: value for (found, labels), value in self.items() if found == name}
