from gateway.services.registry.method import METHODS
from gateway.web.openapi import arguments_schema, document
from tests.docs.reference import PAGE, page


def test_the_reference_is_what_the_rows_say() -> None:
    assert PAGE.read_text() == page(), "make reference"


def test_openapi_has_every_method_with_its_arguments() -> None:
    paths = document("http://127.0.0.1:9000")["paths"]
    assert isinstance(paths, dict)
    assert set(paths) == {f"/_rpc/{{workspace}}/{name}" for name in METHODS}
    for method in METHODS.values():
        schema = arguments_schema(method.arguments)
        properties = schema["properties"]
        assert isinstance(properties, dict)
        assert list(properties) == [argument.name for argument in method.arguments]
        assert schema.get("required", []) == [a.name for a in method.arguments if a.required]
