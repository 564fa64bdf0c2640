"""Uploads by HTML form: with a policy and without, and what each condition refuses."""

from dataclasses import replace

from tests.acceptance.forms import Form
from tests.differential.client import Client
from tests.differential.scene import PLAIN, PREFIX, Scene

forms = Scene("forms", kinds=(PLAIN, PREFIX), backends=("seaweedfs",))

FIELDS: dict[str, dict[str, str]] = {
    "nothing else": {},
    "a type": {"Content-Type": "text/csv"},
    "metadata": {"x-amz-meta-a": "1", "Cache-Control": "no-cache"},
    "status 200": {"success_action_status": "200"},
    "status 201": {"success_action_status": "201"},
    "status 204": {"success_action_status": "204"},
    "a status that is none": {"success_action_status": "299"},
    "a redirect": {"success_action_redirect": "https://example.org/done"},
    "a class": {"x-amz-storage-class": "STANDARD"},
}
for _number, (_name, _fields) in enumerate(FIELDS.items()):

    @forms.case(_name, "forms")
    def _post(client: Client, key: str = f"f{_number}", fields: dict[str, str] = _fields) -> None:
        client.post(Form(client.form(key, fields)))
        client.ask("GET", key)


@forms.case("the file's own name", "forms")
def _filename(client: Client) -> None:
    client.post(Form(client.form("named/${filename}"), file='; filename="a b.csv"'))
    client.ask("GET", "named/a b.csv")


@forms.case("a megabyte", "forms")
def _large(client: Client) -> None:
    client.post(Form(client.form("large"), data=bytes(1 << 20)))
    client.ask("HEAD", "large")


def _bad(name: str, change: dict[str, str], *differs: str, drop: str = "") -> None:
    """A case of a form whose fields were changed after it was signed."""

    @forms.case(f"wrong: {name}", *differs)
    def _post(client: Client) -> None:
        fields = client.form("bad") | {each: client.fill(text) for each, text in change.items()}
        fields.pop(drop, None)
        client.post(Form(fields))


_bad("another key", {"key": "{prefix}other"}, "own-words")
_bad("a field that the policy does not name", {"x-amz-meta-b": "2"}, "own-words")
_bad("a signature", {"x-amz-signature": "0" * 64}, "own-words")
_bad("a policy that is none", {"policy": "e30="}, "own-words")
_bad("no key", {}, "forms", drop="key")


@forms.case("wrong: no file", "forms")
def _no_file(client: Client) -> None:
    form = Form(client.form("bad"))
    client.post(replace(form, data=b"", file="", end=form.end))


SCENES = (forms,)
