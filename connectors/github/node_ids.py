"""Node ids of status issues and labels that an observation has shown, so that a write need not ask for them."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["NodeIds"]


class NodeIds:
    """Node ids by repository (``owner/name``). Labels are compared without regard to case, as GitHub does."""

    def __init__(self) -> None:
        self._issues: dict[tuple[str, int], str] = {}
        self._labels: dict[str, dict[str, str]] = {}

    def add_issue(self, repository: str, number: int, id_: str) -> None:
        """Keep the id of an issue."""
        self._issues[repository, number] = id_

    def add_labels(self, repository: str, labels: Mapping[str, str]) -> None:
        """Keep all labels of a repository: their ids by name."""
        self._labels[repository] = {name.lower(): id_ for name, id_ in labels.items()}

    def add_label(self, repository: str, name: str, id_: str) -> None:
        """Keep the id of a new label, if the others of its repository are known."""
        if repository in self._labels:
            self._labels[repository][name.lower()] = id_

    def issue(self, repository: str, number: int) -> str:
        """Return the id of an issue; empty if unknown."""
        return self._issues.get((repository, number), "")

    def labels(self, repository: str) -> Mapping[str, str] | None:
        """Return the ids of all labels of a repository by name in lower case; None: they are not known."""
        return self._labels.get(repository)

    def forget(self, repository: str) -> None:
        """Forget a repository: an id is not valid any more."""
        self._labels.pop(repository, None)
        self._issues = {key: id_ for key, id_ in self._issues.items() if key[0] != repository}
