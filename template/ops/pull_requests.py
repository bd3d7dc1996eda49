"""Pull requests (GitHub) and merge requests (GitLab), made from inside a pipeline of that host."""

import base64
import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ANSWER_SECONDS = 30
UNPROCESSABLE = 422


SCOPES = (
    "TEMPLATE_UPDATE_TOKEN has to allow reading and writing contents, pull requests and workflows (GitHub), "
    "or have the scopes api and write_repository (GitLab)."
)


class HostError(Exception):
    """The host could not be asked or refused; the message says what to do."""


@dataclass(frozen=True)
class Host:
    """Where the repository lives, with that API's own names for the fields of a pull request."""

    repository: str  # address to push to
    requests: str  # address of the pull requests in the API
    base: str  # the branch that a pull request is to change
    token: str
    headers: Mapping[str, str]
    owner: str  # what the API wants before the name of a branch
    head_field: str
    base_field: str
    body_field: str
    address_field: str

    def find(self, branch: str) -> str | None:
        """Return the address of the request that was ever made from a branch, also of one that was closed.

        Raises:
            HostError: no answer.
        """
        query = urllib.parse.urlencode({self.head_field: self.owner + branch, "state": "all"})
        found = self._call(f"{self.requests}?{query}")
        return found[0][self.address_field] if found else None

    def open(self, branch: str, title: str, body: str, *, draft: bool) -> str:
        """Open a request and return its address.

        Raises:
            HostError: no answer.
        """
        fields = {
            "title": f"Draft: {title}" if draft else title,  # GitLab knows drafts by it, people everywhere
            self.head_field: branch,
            self.base_field: self.base,
            self.body_field: body,
            "draft": draft,
        }
        address: str = self._call(self.requests, fields)[self.address_field]
        return address

    def git_environment(self) -> dict[str, str]:
        """Return variables with which git may push; no command line and no file has the token."""
        credentials = base64.b64encode(f"x-access-token:{self.token}".encode()).decode()
        return {
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"http.{self.repository}.extraHeader",
            "GIT_CONFIG_VALUE_0": f"Authorization: Basic {credentials}",
        }

    def _call(self, address: str, fields: Mapping[str, object] | None = None) -> Any:  # noqa: ANN401 - any JSON
        request = urllib.request.Request(address, data=json.dumps(fields).encode() if fields else None)
        request.add_header("Content-Type", "application/json")
        for name, value in self.headers.items():
            request.add_unredirected_header(name, value)
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            said = error.read(500).decode(errors="replace")
            if fields and fields["draft"] and error.code == UNPROCESSABLE and "raft" in said:
                # Private repositories of GitHub's free plan have no drafts; the title still says it.
                return self._call(address, {**fields, "draft": False})
            raise HostError(f"{self.requests} answered {error.code}: {said} {SCOPES}") from None
        except OSError as error:
            raise HostError(f"{self.requests} could not be reached ({error}); run this again later.") from None
        except (http.client.HTTPException, ValueError):
            raise HostError(f"{self.requests} answered with no JSON: a proxy or another server is there.") from None


def find_host(variables: Mapping[str, str], token: str) -> Host | None:
    """Return the host whose pipeline these variables describe, or nothing outside a pipeline."""
    if "GITHUB_REPOSITORY" in variables:
        name = variables["GITHUB_REPOSITORY"]
        return Host(
            repository=f"{variables['GITHUB_SERVER_URL']}/{name}.git",
            requests=f"{variables['GITHUB_API_URL']}/repos/{name}/pulls",
            base=variables["GITHUB_REF_NAME"],
            token=token,
            headers={"Authorization": f"Bearer {token}", "Accept": "application/vnd.github+json"},
            owner=f"{name.partition('/')[0]}:",
            head_field="head",
            base_field="base",
            body_field="body",
            address_field="html_url",
        )
    if "CI_PROJECT_ID" in variables:
        return Host(
            repository=f"{variables['CI_PROJECT_URL']}.git",
            requests=f"{variables['CI_API_V4_URL']}/projects/{variables['CI_PROJECT_ID']}/merge_requests",
            base=variables.get("CI_COMMIT_BRANCH") or variables["CI_DEFAULT_BRANCH"],  # a schedule may be of a tag
            token=token,
            headers={"PRIVATE-TOKEN": token},
            owner="",
            head_field="source_branch",
            base_field="target_branch",
            body_field="description",
            address_field="web_url",
        )
    return None
