"""A folder with artifacts in every state beside awkward names, and what readers see of it."""

import hashlib
from dataclasses import dataclass, field

from tests.acceptance.harness import WORKSPACE, Gateway
from tests.acceptance.steps import manifest, put

# Neighbours of artifacts and of each other, where orders and encodings part.
ORDINARY = (
    *(
        "a",
        "a!",
        "a.b",
        "a/b",
        "a-/x",
        "ab/c/d",
        "art!",
        "art-x",
        "art.x/y",
        "art0",
        "b b",
        "b%20b",
    ),
    *(
        "b+b",
        "c&<d>\"'",
        "e\u0301",
        "é/x y",
        "gal-x",
        "galx/y",
        "z/\U0010ffff/y",
        "zz",
        "\U0010ffff",
    ),
    *("\ue000", "~", "%2F", "aé+/%/&"),
)
FILES = {"data.csv": b"committed", "dir/a": b"a", "dir/b": b"bb", "dir!": b"x", "é +/%": b"odd"}


@dataclass(slots=True)
class Landscape:
    """`seen` is what readers see below `root`: a name, its size and its ETag.

    `pinned` are those of `seen` that commits hold; `marked` those inside an open edit.
    """

    gateway: Gateway
    root: str
    seen: dict[str, tuple[int, str]] = field(default_factory=dict)
    pinned: set[str] = field(default_factory=set)
    marked: set[str] = field(default_factory=set)

    def make(self) -> "Landscape":
        """Everything, once."""
        for name in ORDINARY:
            self._see(name, b"ordinary " + name.encode())
            put(self.gateway.s3(), self.root, {name: b"ordinary " + name.encode()})
        # Committed, and left alone.
        self._commit("art2", FILES)
        self._commit("d/e/deep", FILES)
        # Committed, and being edited, each in its way.
        self._commit("art", FILES)
        self._edit("art", {"data.csv": b"staged, and longer", "new.csv": b"n"}, ("dir/a", "dir/b"))
        self._commit("art3", FILES)
        self._edit("art3", {"_manifest.yaml": manifest(name="staged")})
        self._commit("art4", FILES)
        self._edit("art4", {}, ("é +/%",))
        self._commit("art5", FILES)
        self._edit("art5", {"_manifest.yaml": manifest(name="staged")}, tuple(FILES))
        self._commit("art 6", FILES)
        self._edit("art 6", {"a new folder/x": b"x", "dir/aa": b"aa"})
        self._commit("é-art", {"ü": b"u", "\U0010ffff": b"last", "a": b"first"})
        self._edit("é-art", {"a": b"staged", "b": b"b"}, ("\U0010ffff",))
        # Never committed.
        self._edit("art1", {"_manifest.yaml": manifest(), "x/y": b"y"})
        # An edit that is over.
        self._commit("art7", FILES)
        self._edit("art7", {"data.csv": b"staged", "more": b"m"}, ("dir/a",), marks=False)
        self.gateway.rpc("discard", prefix=f"{self.root}/art7")
        # A collection that is being edited, with members, and with files that wait for theirs.
        self._commit("gal", {"cover.png": b"png", "z.txt": b"z"}, type="collection")
        self._commit("gal/m1", FILES)
        self._commit("gal/m2", FILES)
        self._edit("gal/m2", {"dir/c": b"c"}, ("data.csv",))
        self._edit("gal/m3", {"x": b"waits", "y/z": b"waits"})
        self._edit("gal/m4", {"_manifest.yaml": manifest(), "x": b"new"})
        self._edit("gal/m5/deep/er", {"x": b"waits"})
        self._commit("gal/m6/sub", {"y": b"y"})
        self._edit("gal/m6", {"stray": b"waits"})
        self._edit("gal", {"cover.png": b"staged cover", "new.png": b"n"}, ("z.txt",))
        return self

    def _commit(self, name: str, files: dict[str, bytes], **fields: str) -> None:
        prefix = f"{self.root}/{name}"
        text = manifest(title=name, **fields)
        put(self.gateway.s3(), prefix, {**files, "_manifest.yaml": text})
        self.gateway.rpc("commit", prefix=prefix)
        for path, data in {**files, "manifest.yaml": text}.items():
            self._see(f"{name}/{path}", data)
            self.pinned.add(f"{name}/{path}")

    def _edit(
        self,
        name: str,
        files: dict[str, bytes],
        removed: tuple[str, ...] = (),
        *,
        marks: bool = True,
    ) -> None:
        put(self.gateway.s3(), f"{self.root}/{name}", files)
        for path in removed:
            self.gateway.s3().delete_object(Bucket=WORKSPACE, Key=f"{self.root}/{name}/{path}")
        if marks and f"{name}/manifest.yaml" in self.pinned:
            below = {key for key in self.seen if key.startswith(f"{name}/")}
            own = {key for key in below if "/" not in key[len(name) + 1 :]}
            self.marked |= own if name == "gal" else below

    def _see(self, name: str, data: bytes) -> None:
        etag = hashlib.md5(data, usedforsecurity=False).hexdigest()
        self.seen[name] = (len(data), f'"{etag}"')


def grouped(
    seen: dict[str, tuple[int, str]], prefix: str, delimiter: str, after: str
) -> dict[str, tuple[int, str] | None]:
    """What S3 lists of `seen`, in bytewise order; None stands for a common prefix."""
    found: dict[str, tuple[int, str] | None] = {}
    for name in sorted(seen):
        if not name.startswith(prefix):
            continue
        at = name.find(delimiter, len(prefix)) if delimiter else -1
        shown = name if at < 0 else name[: at + len(delimiter)]
        # A marker within a common prefix leaves its later keys to be grouped: S3 lists it again,
        # but for a marker that is the common prefix itself.
        past = name > after and not (at >= 0 and after == shown)
        if past:
            found[shown] = seen[name] if at < 0 else None
    return found
