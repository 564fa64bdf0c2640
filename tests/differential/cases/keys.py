"""Odd keys: what may be one, in every place that names one."""

from urllib.parse import quote

from tests.differential.client import Client, md5
from tests.differential.scene import PLAIN, PREFIX, Scene

BODY = b"under an odd key"

ODD = {
    "spaces": "a b  c ",
    "a plus": "a+b",
    "a percent sign": "100%",
    "an escape": "a%20b%2Fc",
    "a tilde": "~a~",
    "reserved": "!*'();:@&=$,?#[]",
    "quotes": "\"quoted\" 'too'",
    "angles": "<a>&amp;</a>",
    "accents": "übergröße/café",
    "combining": "cafe\u0301",
    "Chinese": "数据/文件.csv",
    "beyond the plane": "🦑/\U0010fffd",
    "a long segment": "s" * 250,
    "900 bytes": "/".join("d" * 99 for _ in range(9)),
    "deep": "/".join("abcdefghijklmnop" * 2),
    "a dot": ".hidden/.x",
    "dots in names": "a..b/...",
    "a trailing dot": "name.",
    "a slash at the end": "folder/",
    "a control character": "bell\x07",
    "a tab": "tab\there",
    "a line break": "line\nbreak",
    "a carriage return": "carriage\rreturn",
    "a delete character": "\x7f",
    "pipes and braces": "a|b`c^d",
    "like a query": "a?versions",
    "like a listing": "a?list-type=2",
    "a byte-order mark": "\ufeffbom",
    "right to left": "שלום",
}
CONTROLS = ("a control character", "a delete character")
"""What moto writes into its XML, which can't hold it."""

FOLDED = {
    "two slashes": "a//b",
    "a slash first": "/a",
    "a backslash": "a\\b",
}
REFUSED = {
    "a dot segment": "a/./b",
    "two dots": "a/../b",
    "old versions": "a.versions/v_1",
    "open uploads": ".uploads/x",
}

odd = Scene("odd-keys", kinds=(PREFIX,))


def _everywhere(client: Client, key: str) -> None:
    """Everything that names a key, done to this one."""
    client.ask("PUT", key, body=BODY, headers={"x-amz-tagging": "a=1"})
    client.ask("GET", key)
    client.ask("HEAD", key)
    client.ask("GET", key, "tagging")
    prefix = quote(client.prefix + key, safe="")
    client.ask("GET", None, f"list-type=2&prefix={prefix}&encoding-type=url")
    source = quote(f"{client.bucket}/{client.prefix}{key}")
    client.ask("PUT", "copied", headers={"x-amz-copy-source": source})
    client.ask("DELETE", key)
    client.ask("GET", key)


for _name, _key in ODD.items():

    @odd.case(_name, *(("no-xml?@moto",) if _name in CONTROLS else ()))
    def _odd(client: Client, key: str = _key) -> None:
        _everywhere(client, key)


@odd.case("parts of an odd key")
def _parts(client: Client) -> None:
    key = "ü + %/<ö>~&"
    client.saved["upload"] = client.ask("POST", key, "uploads").text("UploadId")
    etag = client.ask("PUT", key, "partNumber=1&uploadId={upload}", body=BODY).header("etag")
    client.ask("GET", key, "uploadId={upload}")
    body = (
        f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>"
        "</CompleteMultipartUpload>"
    )
    client.ask("POST", key, "uploadId={upload}", body=body)
    listed = f"<Delete><Object><Key>{client.prefix}ü + %/&lt;ö&gt;~&amp;</Key></Object></Delete>"
    client.ask("POST", None, "delete", {"Content-MD5": md5(listed.encode())}, listed)


too_long = Scene("long-keys")
for _length in (1024, 1025, 2000):
    too_long.ask(
        f"{_length} bytes",
        "PUT",
        "k" * _length,
        body=BODY,
        differs=("own-words@seaweedfs", "key-length@moto"),
    )

folded = Scene("folded-keys", kinds=(PLAIN, PREFIX))
for _name, _key in FOLDED.items():

    @folded.case(_name, "folded-keys@seaweedfs")
    def _fold(client: Client, key: str = _key) -> None:
        _everywhere(client, key)


refused = Scene("refused-keys")
for _name, _key in REFUSED.items():
    _differs = () if "dot" in _name else ("private-keys@seaweedfs",)
    refused.ask(f"PUT {_name}", "PUT", _key, body=BODY, differs=_differs)
    refused.ask(f"GET {_name}", "GET", _key, differs=_differs)

SCENES = (odd, too_long, folded, refused)
