"""The gateway's methods, by their names, with the arguments of their rows in the same order."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias, cast

from gateway.client.results import (
    Commit,
    File,
    FilePart,
    Folder,
    GetOptions,
    Indexed,
    KeyInfo,
    Manifest,
    Member,
    NewKey,
    Page,
    PartedUpload,
    PutOptions,
    Stats,
    Version,
)
from gateway.client.session import Session

Fields: TypeAlias = Mapping[str, object]
Grants: TypeAlias = Mapping[str, str]
Texts: TypeAlias = list[str]  # "list" is a method below
Listing: TypeAlias = list[File | Folder]
Members: TypeAlias = list[Member]
Versions: TypeAlias = list[Version]
Keys: TypeAlias = list[KeyInfo]


class AsyncKeys:
    """Access keys. Needs `admin`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def create(self, name: str, grants: Grants) -> NewKey:
        """A new access key, with its secret, which is shown this once."""
        arguments = {"name": name, "grants": grants}
        return cast(NewKey, await self._session.call("keys.create", arguments))

    async def list(self) -> Keys:
        """The keys that the caller administers."""
        return cast(Keys, await self._session.call("keys.list", {}))

    async def revoke(self, access_key_id: str) -> None:
        """The key is over, and with it its tokens and its URLs; NoSuchKey."""
        await self._session.call("keys.revoke", {"access_key_id": access_key_id})


class AsyncMethods:
    """What docs/rpc.md has. None stands for what is left out."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.keys = AsyncKeys(session)

    async def create(
        self,
        prefix: str,
        manifest: Fields,
        stage: bool = False,  # noqa: FBT001, FBT002 - as the method's row has it
        overwrite: bool = False,  # noqa: FBT001, FBT002
    ) -> Manifest:
        """The manifest of a new artifact, committed unless `stage`; ArtifactExists."""
        given = {"prefix": prefix, "manifest": manifest, "stage": stage, "overwrite": overwrite}
        return cast(Manifest, await self._session.call("create", given))

    async def edit(self, prefix: str, manifest: Fields | None = None) -> Manifest:
        """The staged manifest of an edit that is now open; None keeps the one that is there."""
        given = {"prefix": prefix, "manifest": manifest}
        return cast(Manifest, await self._session.call("edit", given))

    async def commit(self, prefix: str, message: str | None = None) -> Commit:
        """The next version, made of the stage; NotStaged, MissingFiles, SchemaViolation."""
        given = {"prefix": prefix, "message": message}
        return cast(Commit, await self._session.call("commit", given))

    async def discard(self, prefix: str) -> None:
        """The stage is gone, the last commit stays; NotStaged."""
        await self._session.call("discard", {"prefix": prefix})

    async def delete(
        self,
        prefix: str,
        recursive: bool = False,  # noqa: FBT001, FBT002
    ) -> None:
        """The artifact is gone, with `recursive` a collection's members too; CollectionNotEmpty."""
        await self._session.call("delete", {"prefix": prefix, "recursive": recursive})

    async def put_file(
        self, prefix: str, file_path: str, options: PutOptions | None = None
    ) -> str | PartedUpload:
        """A URL to PUT the file to, or one for each of its parts; `upload` does all of it."""
        given = {"prefix": prefix, "file_path": file_path, "options": options}
        return cast("str | PartedUpload", await self._session.call("put_file", given))

    async def complete_file(
        self, prefix: str, file_path: str, upload_id: str, parts: Sequence[FilePart]
    ) -> File:
        """The staged file that the parts make; NoSuchUpload, InvalidPart."""
        given = {"prefix": prefix, "file_path": file_path, "upload_id": upload_id, "parts": parts}
        return cast(File, await self._session.call("complete_file", given))

    async def get_file(self, prefix: str, path: str, options: GetOptions | None = None) -> str:
        """A URL to GET the file from; NoSuchArtifact, NoSuchKey. `download` does all of it."""
        given = {"prefix": prefix, "path": path, "options": options}
        return cast(str, await self._session.call("get_file", given))

    async def remove_file(self, prefix: str, file_path: str) -> None:
        """The file is gone from the stage; NoSuchKey."""
        await self._session.call("remove_file", {"prefix": prefix, "file_path": file_path})

    async def set_download_weight(self, prefix: str, path: str, weight: float | str) -> None:
        """The committed file weighs so, at once; NoSuchKey, InvalidWeight."""
        given = {"prefix": prefix, "path": path, "weight": weight}
        await self._session.call("set_download_weight", given)

    async def list(
        self,
        prefix: str = "",
        stage: bool = False,  # noqa: FBT001, FBT002
    ) -> Texts:
        """The names directly below a path: artifacts, and what leads to some."""
        return cast(Texts, await self._session.call("list", {"prefix": prefix, "stage": stage}))

    async def children(
        self,
        prefix: str,
        keywords: Sequence[str] | None = None,
        filters: Fields | None = None,
        mode: str = "AND",
        order_by: Sequence[str] | None = None,
        offset: int = 0,
        limit: int | None = None,
        stage: bool = False,  # noqa: FBT001, FBT002
    ) -> Page:
        """A page of a collection's members."""
        given = {
            "prefix": prefix,
            "keywords": keywords,
            "filters": filters,
            "mode": mode,
            "order_by": order_by,
            "offset": offset,
            "limit": limit,
            "stage": stage,
        }
        return cast(Page, await self._session.call("children", given))

    async def search(
        self,
        prefix: str,
        keywords: Sequence[str] | None = None,
        filters: Fields | None = None,
        mode: str = "AND",
    ) -> Members:
        """The members of a collection that are meant."""
        given = {"prefix": prefix, "keywords": keywords, "filters": filters, "mode": mode}
        return cast(Members, await self._session.call("search", given))

    async def list_files(
        self,
        prefix: str,
        path: str = "",
        stage: bool = False,  # noqa: FBT001, FBT002
        version: int | None = None,
        offset: int = 0,
        limit: int | None = None,
    ) -> Listing:
        """The files and folders directly below a path of an artifact."""
        given = {
            "prefix": prefix,
            "path": path,
            "stage": stage,
            "version": version,
            "offset": offset,
            "limit": limit,
        }
        return cast(Listing, await self._session.call("list_files", given))

    async def read(
        self,
        prefix: str,
        stage: bool = False,  # noqa: FBT001, FBT002
        version: int | None = None,
        silent: bool = False,  # noqa: FBT001, FBT002
    ) -> Manifest:
        """The manifest, with what the gateway knows of the artifact; a view unless `silent`."""
        given = {"prefix": prefix, "stage": stage, "version": version, "silent": silent}
        return cast(Manifest, await self._session.call("read", given))

    async def versions(self, prefix: str) -> Versions:
        """The artifact's commits, newest first."""
        return cast(Versions, await self._session.call("versions", {"prefix": prefix}))

    async def rollback(self, prefix: str, version: int) -> Commit:
        """A new version that equals an old one; EditOpen, NoSuchVersion."""
        given = {"prefix": prefix, "version": version}
        return cast(Commit, await self._session.call("rollback", given))

    async def index(self, prefix: str) -> Indexed:
        """What was written of a collection's members into its own manifest, as a commit."""
        return cast(Indexed, await self._session.call("index", {"prefix": prefix}))

    async def reset_stats(self, prefix: str) -> None:
        """The artifact's counters are 0. Needs `admin`."""
        await self._session.call("reset_stats", {"prefix": prefix})

    async def stats(self, prefix: str, since: str | None = None, until: str | None = None) -> Stats:
        """Downloads over time; `since` and `until` are days such as 2025-06-07."""
        given = {"prefix": prefix, "since": since, "until": until}
        return cast(Stats, await self._session.call("stats", given))

    async def generate_token(
        self, grants: Grants | None = None, expires_in: int | None = None
    ) -> str:
        """A bearer token, for 3,600 seconds unless said. Needs `admin`."""
        given = {"grants": grants, "expires_in": expires_in}
        return cast(str, await self._session.call("generate_token", given))
