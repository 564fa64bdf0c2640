"""What users of the gateway see, through real servers, clients and processes."""

import pytest

# Their asserts are as good as a test's own: pytest shows what each compared.
pytest.register_assert_rewrite("tests.acceptance.sights", "tests.acceptance.views")
