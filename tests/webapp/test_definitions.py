"""What changed in a version of a process, on its page: tables, diagrams and forms in words, with the same component."""

from __future__ import annotations

from sqlalchemy import select

from engine import definitions
from engine.act import Act
from engine.stored.definition import Definition
from processes.bundle import bundle_files
from tests.people import pat, rita
from tests.story import Story
from tests.webapp.conftest import People

TABLE, DIAGRAM = "rules/tables/sourcing.dmn", "processes/bpmn/amend_order.bpmn"


def deployed(story: Story, changes: dict[str, tuple[bytes, bytes]], process: str) -> Definition:
    """Deploy a process with changed files, in pat's name."""

    def deploy(act: Act) -> Definition:
        files = bundle_files()
        for path, (old, new) in changes.items():
            assert old in files[path]
            files[path] = files[path].replace(old, new, 1)
        return definitions.deploy(act, files, process_id=process)

    return story.given(deploy)


def test_an_engineer_reads_what_changed_in_a_version(browse: People, story: Story):
    later = deployed(story, {DIAGRAM: (b"Key the change by hand", b"Type the change")}, "amend_order")
    browser = browse(pat)
    page = browser.get(f"/operations/definitions/{later.id}/changes").text
    assert 'data-sentence="Process' in page
    assert "User task “Key the change by hand”" in browser.text
    assert "1 difference: 1 renamed" in browser.text
    assert "redline-wide" in browser.get(f"/operations/definitions/{later.id}/changes?view=sides").text
    assert f"/operations/definitions/{later.id}/changes" in browser.get("/operations").text


def test_a_file_that_is_only_drawn_otherwise_says_so(browse: People, story: Story):
    later = deployed(story, {DIAGRAM: (b'<dc:Bounds x="', b'<dc:Bounds x="9')}, "amend_order")
    browser = browse(pat)
    browser.get(f"/operations/definitions/{later.id}/changes")
    assert "Nothing that runs differs; only how it is drawn or written." in browser.text


def test_the_first_version_has_nothing_to_compare_with(browse: People, story: Story):
    first = story.read(lambda session: session.scalars(select(Definition).order_by(Definition.version)).first())
    browser = browse(rita)
    assert browser.get(f"/operations/definitions/{first.id}/changes").status_code == 200
    assert "The first version" in browser.text
    assert browser.get("/operations/definitions/nothing/changes").status_code == 404
