"""Where large files are: on the model hub, on a dump site with its sums, or at any address."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from asl_env.corpora.checksums import Checksum, find_in_sums
from asl_env.corpora.errors import CorpusError
from asl_env.corpora.transfer import Remote, Transfer


class Source(Protocol):
    """Something that knows where a file is and what it must hash to."""

    @property
    def where(self) -> str:
        """The place in one phrase, for people."""

    def locate(self, transfer: Transfer, folder: Path) -> Remote:
        """Finds the file as it is today.

        Args:
            transfer: Fetches what has to be read for that.
            folder: Takes what is fetched for that; exists.

        Raises:
            CorpusError: If it cannot be found out.
        """


@dataclass(frozen=True)
class HubFile:
    """A file of a dataset on the Hugging Face hub.

    ``HF_ENDPOINT`` (a mirror), ``HF_TOKEN`` and ``hf auth login`` hold, as everywhere else.

    Attributes:
        dataset: ``owner/name``.
        path: Path inside the dataset.
    """

    dataset: str
    path: str

    @property
    def where(self) -> str:
        """The dataset."""
        return f"the hub's dataset {self.dataset}"

    def locate(self, transfer: Transfer, folder: Path) -> Remote:
        """Asks the hub for the newest commit, and for size and SHA-256 of the file there.

        Raises:
            CorpusError: If the hub refuses, does not have it, or cannot be reached.
        """
        from huggingface_hub import get_hf_file_metadata, get_token, hf_hub_url

        endpoint = os.environ.get("HF_ENDPOINT") or None

        def address(revision: str) -> str:
            return hf_hub_url(
                self.dataset,
                self.path,
                repo_type="dataset",
                revision=revision,
                endpoint=endpoint,
            )

        transfer.say(f"asking for {self.path} of {self.where}")
        try:
            about: Any = get_hf_file_metadata(address("main"), endpoint=endpoint)
        except Exception as error:  # whatever its client raises: network, refusal, offline mode
            raise CorpusError(self._explain(error)) from error
        # The hub's tag of a large file is its SHA-256; that of a small one is a git hash.
        token = get_token()
        digest = about.etag if re.fullmatch(r"[0-9a-f]{64}", about.etag or "") else None
        return Remote(
            name=Path(self.path).name,
            url=address(about.commit_hash or "main"),
            size=about.size,
            checksum=Checksum("sha256", digest) if digest else None,
            headers={"Authorization": f"Bearer {token}"} if token else {},
        )

    def _explain(self, error: Exception) -> str:
        from huggingface_hub.errors import EntryNotFoundError, GatedRepoError
        from huggingface_hub.errors import RepositoryNotFoundError as NoRepositoryError

        if isinstance(error, GatedRepoError):
            return (
                f"{self.where} wants its terms accepted: do so in a browser, then run "
                "`hf auth login`"
            )
        if isinstance(error, (NoRepositoryError, EntryNotFoundError)):
            return f"{self.where} or its file {self.path} is not there; was it moved or renamed?"
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        return f"the hub cannot be asked for {self.path} ({reason}); try again later"


@dataclass(frozen=True)
class SummedFile:
    """A file of a dump site that publishes a sums file beside it.

    Attributes:
        url: Address of the file.
        sums: Address of the sums file.
    """

    url: str
    sums: str

    @property
    def where(self) -> str:
        """The address."""
        return self.url

    def locate(self, transfer: Transfer, folder: Path) -> Remote:
        """Reads the sums file, and which dated file is the latest one.

        The dated file is asked for by its own name: the name ``latest`` may go over to another
        file in the middle of a download.

        Raises:
            CorpusError: If the sums file cannot be fetched or does not name the file.
        """
        name = file_name(self.url)
        listing = folder / file_name(self.sums)
        transfer.fetch(Remote(name=listing.name, url=self.sums), listing)
        found = find_in_sums(listing.read_text(encoding="utf-8", errors="replace"), name)
        listing.unlink()
        if found is None:
            raise CorpusError(
                f"{self.sums}: does not name {name}; the dump may be in the making, try again "
                "tomorrow or give the address of an older one"
            )
        dated, checksum = found
        address = self.url
        if dated != name:
            day = re.search(r"-(\d{8})-", dated)
            assert day is not None, "find_in_sums only varies the date"
            address = self.url.replace("/latest/", f"/{day[1]}/").replace(name, dated)
        return Remote(name=dated, url=address, checksum=checksum)


@dataclass(frozen=True)
class Address:
    """A file at any address.

    Attributes:
        url: Its address.
        checksum: What it must hash to, if that is known.
    """

    url: str
    checksum: Checksum | None = None

    @property
    def where(self) -> str:
        """The address."""
        return self.url

    def locate(self, transfer: Transfer, folder: Path) -> Remote:
        """Names the file by the last part of the address.

        Raises:
            CorpusError: If the address has no such part.
        """
        name = file_name(self.url)
        if not name:
            raise CorpusError(f"{self.url}: names no file")
        return Remote(name=name, url=self.url, checksum=self.checksum)


def is_address(text: str) -> bool:
    """Whether a text is the address of something on a server."""
    return re.match(r"[a-z][a-z0-9+.-]*://", text, re.IGNORECASE) is not None


def file_name(url: str) -> str:
    """The last part of an address, without anything that means something to a file system.

    Raises:
        CorpusError: If it is no address.
    """
    try:
        path = urlsplit(url).path
    except ValueError as error:
        raise CorpusError(f"{url}: is no address ({error})") from error
    name = unquote(path).rpartition("/")[2]
    return re.sub(r"[^\w.+-]", "_", name).lstrip(".")[:150]
