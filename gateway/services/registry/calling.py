"""Carry out a call of a method, for whatever door it came through."""

from collections.abc import Mapping
from datetime import datetime

from gateway.artifact.query import MemberQuery, parse_query
from gateway.artifact.value import JsonValue
from gateway.errors import NoSuchBucket, NoSuchMethod
from gateway.identity import Caller, Right
from gateway.services.enduring import Enduring
from gateway.services.keys.access import Access
from gateway.services.objects.keeping import Keeping
from gateway.services.registry.administering import Administering
from gateway.services.registry.announcing import Announcing, Coming
from gateway.services.registry.arguments import Arguments
from gateway.services.registry.authoring import Authoring
from gateway.services.registry.browsing import Browsing
from gateway.services.registry.call import Call, Handler
from gateway.services.registry.filing import Filing
from gateway.services.registry.method import METHODS, options_of
from gateway.services.registry.searching import Searching
from gateway.services.registry.showing import Wanted
from gateway.services.statistics.reporting import parse_day
from gateway.services.workspaces import Workspaces
from gateway.storage.upstream import BackendError


class Calling:
    """Finds the method, checks its arguments, carries it out."""

    def __init__(  # noqa: PLR0913, PLR0917 (the rooms that it leads to)
        self,
        access: Access,
        workspaces: Workspaces,
        authoring: Authoring,
        announcing: Announcing,
        filing: Filing,
        browsing: Browsing,
        searching: Searching,
        administering: Administering,
        enduring: Enduring,
        keeping: Keeping,
    ) -> None:
        self._access = access
        self._workspaces = workspaces
        self._authoring = authoring
        self._announcing = announcing
        self._filing = filing
        self._browsing = browsing
        self._searching = searching
        self._enduring = enduring
        self._keeping = keeping
        self._handlers: dict[str, Handler] = {
            "create": self._create,
            "edit": self._edit,
            "commit": self._commit,
            "discard": self._discard,
            "delete": self._delete,
            "put_file": self._put_file,
            "complete_file": self._complete_file,
            "get_file": self._get_file,
            "remove_file": self._remove_file,
            "set_download_weight": self._set_download_weight,
            "list": self._list,
            "children": self._children,
            "search": self._search,
            "list_files": self._list_files,
            "read": self._read,
            "versions": self._versions,
            "rollback": self._rollback,
            "index": self._index,
            "stats": self._stats,
            **administering.handlers,
        }

    async def call(
        self,
        caller: Caller,
        workspace_name: str,
        method_name: str,
        given: Mapping[str, JsonValue],
        now: datetime,
    ) -> JsonValue:
        """What the method returns; NoSuchMethod, NoSuchBucket, InvalidArgument, or its own.

        NoSuchBucket, too, where the workspace was removed while the method wrote into it.
        """
        method = METHODS.get(method_name)
        if method is None:
            raise NoSuchMethod(
                f"there is no method {method_name!r}; there are {', '.join(METHODS)}",
                method=method_name,
            )
        workspace = await self._workspaces.named(workspace_name)
        if not method.reads or method.right > Right.READ:
            # The floor; what is public is read without a right, so reading methods ask themselves.
            self._access.require(caller, workspace, method.right)
        arguments = Arguments(method.name, method.arguments, given)
        work = self._handlers[method.name](Call(caller, workspace, arguments, now))
        try:
            done = await (work if method.reads else self._enduring.finish(work))
        except BackendError as error:
            if error.code != NoSuchBucket.code:
                raise
            # It went while the method was at it, or the backend has lost it.
            raise NoSuchBucket(
                "The specified bucket does not exist", bucket=workspace_name
            ) from error
        if not method.reads:
            await self._keeping.check(workspace, now)
        return done

    async def _create(self, call: Call) -> JsonValue:
        a = call.arguments
        return await self._authoring.create(
            call.caller,
            call.workspace,
            a.text("prefix"),
            a.mapping("manifest") or {},
            now=call.now,
            stage=a.flag("stage"),
            overwrite=a.flag("overwrite"),
        )

    async def _edit(self, call: Call) -> JsonValue:
        prefix, manifest = call.arguments.text("prefix"), call.arguments.mapping("manifest")
        return await self._authoring.edit(
            call.caller, call.workspace, prefix, manifest, now=call.now
        )

    async def _commit(self, call: Call) -> JsonValue:
        prefix, message = call.arguments.text("prefix"), call.arguments.text_or_none("message")
        return await self._authoring.commit(
            call.caller, call.workspace, prefix, message, now=call.now
        )

    async def _discard(self, call: Call) -> JsonValue:
        prefix = call.arguments.text("prefix")
        await self._authoring.discard(call.caller, call.workspace, prefix, now=call.now)
        return None

    async def _delete(self, call: Call) -> JsonValue:
        a = call.arguments
        await self._authoring.delete(
            call.caller,
            call.workspace,
            a.text("prefix"),
            now=call.now,
            recursive=a.flag("recursive"),
        )
        return None

    async def _put_file(self, call: Call) -> JsonValue:
        a = call.arguments
        options = a.options("options", options_of("put_file"))
        coming = Coming(
            weight=options.value("download_weight"),
            expires_in=options.integer("expires_in"),
            parts=options.integer("parts"),
            content_type=options.text_or_none("content_type"),
        )
        prefix, path = a.text("prefix"), a.text("file_path")
        return await self._announcing.put_file(
            call.caller, call.workspace, prefix, path, coming, now=call.now
        )

    async def _complete_file(self, call: Call) -> JsonValue:
        a = call.arguments
        return await self._announcing.complete_file(
            call.caller,
            call.workspace,
            a.text("prefix"),
            a.text("file_path"),
            a.text("upload_id"),
            a.listed("parts"),
            now=call.now,
        )

    async def _get_file(self, call: Call) -> JsonValue:
        a = call.arguments
        options = a.options("options", options_of("get_file"))
        wanted = Wanted(
            stage=options.flag("stage"),
            version=options.integer("version"),
            silent=options.flag("silent"),
        )
        return await self._filing.get_file(
            call.caller,
            call.workspace,
            a.text("prefix"),
            a.text("path"),
            wanted,
            now=call.now,
            expires_in=options.integer("expires_in"),
        )

    async def _remove_file(self, call: Call) -> JsonValue:
        prefix, path = call.arguments.text("prefix"), call.arguments.text("file_path")
        await self._filing.remove_file(call.caller, call.workspace, prefix, path, now=call.now)
        return None

    async def _set_download_weight(self, call: Call) -> JsonValue:
        a = call.arguments
        prefix, path, weight = a.text("prefix"), a.text("path"), a.value("weight")
        await self._filing.weigh(call.caller, call.workspace, prefix, path, weight, now=call.now)
        return None

    async def _list(self, call: Call) -> JsonValue:
        a = call.arguments
        return await self._browsing.names(
            call.caller, call.workspace, a.text("prefix"), stage=a.flag("stage")
        )

    async def _children(self, call: Call) -> JsonValue:
        a = call.arguments
        return await self._searching.children(
            call.caller,
            call.workspace,
            a.text("prefix"),
            _query(a),
            stage=a.flag("stage"),
            offset=a.integer("offset") or 0,
            limit=a.integer("limit"),
        )

    async def _search(self, call: Call) -> JsonValue:
        prefix, query = call.arguments.text("prefix"), _query(call.arguments)
        found = await self._searching.children(call.caller, call.workspace, prefix, query)
        return found["items"]

    async def _list_files(self, call: Call) -> JsonValue:
        a = call.arguments
        return await self._browsing.list_files(
            call.caller,
            call.workspace,
            a.text("prefix"),
            Wanted(stage=a.flag("stage"), version=a.integer("version")),
            path=a.text("path"),
            offset=a.integer("offset") or 0,
            limit=a.integer("limit"),
        )

    async def _read(self, call: Call) -> JsonValue:
        a = call.arguments
        wanted = Wanted(a.flag("stage"), a.integer("version"), a.flag("silent"))
        return await self._browsing.read(call.caller, call.workspace, a.text("prefix"), wanted)

    async def _versions(self, call: Call) -> JsonValue:
        prefix = call.arguments.text("prefix")
        return await self._browsing.versions(call.caller, call.workspace, prefix)

    async def _rollback(self, call: Call) -> JsonValue:
        prefix, number = call.arguments.text("prefix"), call.arguments.integer("version") or 0
        return await self._authoring.rollback(
            call.caller, call.workspace, prefix, number, now=call.now
        )

    async def _index(self, call: Call) -> JsonValue:
        prefix = call.arguments.text("prefix")
        return await self._authoring.index(call.caller, call.workspace, prefix, now=call.now)

    async def _stats(self, call: Call) -> JsonValue:
        a = call.arguments
        since, until = (parse_day(name, a.text_or_none(name)) for name in ("since", "until"))
        return await self._browsing.stats(
            call.caller, call.workspace, a.text("prefix"), since, until, now=call.now
        )


def _query(arguments: Arguments) -> MemberQuery:
    return parse_query(
        arguments.value("keywords"),
        arguments.value("filters"),
        arguments.text("mode"),
        arguments.value("order_by") if arguments.has("order_by") else None,
    )
