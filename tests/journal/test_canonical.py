import json
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from app.journal import canonical

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-canonical.GREATEST, canonical.GREATEST)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(TEXT, VALUES, max_size=6), st.booleans())
def test_whichever_way_a_body_is_written_it_is_canonical(
    body: dict[str, Any],
    ascii_only: bool,  # noqa: FBT001
) -> None:
    text = json.dumps(body, ensure_ascii=ascii_only)
    assert canonical.body(text) == rfc8785.dumps(body)


@pytest.mark.parametrize(
    ("written", "canonically"),
    [
        # RFC 8785, 3.2.3 and appendix B; and what no double holds.
        ('{"\\ufb33": 1, "\\ud83d\\ude00": 2, "\\u00f6": 3}', '{"ö":3,"😀":2,"\ufb33":1}'),
        (
            '{"n": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001]}',
            '{"n":[333333333.3333333,1e+30,4.5,0.002,1e-27]}',
        ),
        (
            '{"n": [9007199254740991, 9007199254740992, -9007199254740992]}',
            '{"n":[9007199254740991,"9007199254740992","-9007199254740992"]}',
        ),
        (
            '{"n": [1e400, 123456789012345678901234567890]}',
            '{"n":["1e400","123456789012345678901234567890"]}',
        ),
        ('{"b": "\\u001f\\u007f\\u2028/", "a": {}}', '{"a":{},"b":"\\u001f\x7f\u2028/"}'),
    ],
)
def test_numbers_and_names_are_written_as_the_standard_says(written: str, canonically: str) -> None:
    assert canonical.body(written) == canonically.encode()
