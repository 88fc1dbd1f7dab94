"""Pages of tables."""

import pandas as pd

from dynamic_sparsity.tables import page


def test_a_caption_has_paragraphs_lists_and_code():
    caption = "Title.\n\nA `code` & more,\nwrapped.\n\n- `a`: one,\n  wrapped.\n- b: two."
    text = page.render(pd.DataFrame({"a": [1]}), caption, ["Sentence <1>."])
    assert "<title>Title.</title>" in text
    assert "<p>A <code>code</code> &amp; more, wrapped.</p>" in text
    assert "<ul><li><code>a</code>: one, wrapped.</li><li>b: two.</li></ul>" in text
    assert "<ul><li>Sentence &lt;1&gt;.</li></ul>" in text
