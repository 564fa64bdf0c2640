"""The S3 clients that people have, started for real against one gateway.

A module for each client. All of them read the same places (`places`): an ordinary folder, an
artifact that is committed, and one that is being edited; and write into new ones.
"""

import pytest

# Their asserts are as good as a test's own: pytest shows what each compared.
pytest.register_assert_rewrite("tests.clients.places", "tests.clients.table")
