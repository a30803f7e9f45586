"""Library: taking films in from the page, and what each film is worth to a run."""

from pathlib import Path

from core.store.media_rows import save_film
from core.store.runs import list_jobs, set_job
from tests.ui.pages import EVIL, button, checked, draw, html, workspace


def test_an_empty_library_says_what_to_do():
    with workspace() as (app, _):
        assert "No film yet." in html(draw("library", app))


def test_paths_become_a_job_that_is_followed(tmp_path: Path):
    (tmp_path / "films").mkdir()
    for name in ("a.mp4", "b.mkv", "notes.txt"):
        (tmp_path / "films" / name).write_bytes(b"x")
    with workspace() as (app, _):
        app.engine.is_held = True
        test = draw("library", app)
        test.text_area(key="paths_empty").set_value(str(tmp_path / "films")).run()
        add = next(known for known in test.button if known.key == "add_empty")
        checked(add.click().run())
        with app.database.read() as connection:
            job = list_jobs(connection, kind="ingest")[0]
        assert [Path(path).name for path in job.payload["paths"]] == ["a.mp4", "b.mkv"]
        assert test.query_params["job"] in (job.job_id, [job.job_id])
        assert "Waiting for a worker, 0 of 2 files" in html(test)


def test_each_file_gets_its_outcome():
    with workspace() as (app, _):
        app.engine.is_held = True
        job_id = app.library.ingest([Path(__file__)], actor="mina")
        files = [{"path": f"/films/{EVIL}.mp4", "media_id": None, "status": "failed", "reason": "It is a web page, not a film."}]
        with app.database.write() as connection:
            set_job(connection, job_id, status="succeeded", result={"files": files})
        shown = html(draw("library", app, job=job_id))
        assert "It is a web page, not a film." in shown
        assert "<script>" not in shown


def test_a_path_that_is_not_there_is_an_error_and_no_job():
    with workspace() as (app, _):
        test = draw("library", app)
        test.text_area(key="paths_empty").set_value("/nowhere/at/all").run()
        checked(next(known for known in test.button if known.key == "add_empty").click().run())
        assert "There is no file or folder /nowhere/at/all." in html(test)
        with app.database.read() as connection:
            assert list_jobs(connection) == []


def test_a_film_whose_file_is_gone_is_missing_and_stays_listed(tmp_path: Path):
    with workspace() as (app, world):
        clip_id = world.clip("film-1", "We abandon ship")
        from core.store.clips import load_clip

        with app.database.write() as connection:
            media_id = load_clip(connection, clip_id).media_id
            save_film(connection, tmp_path / "gone.mp4", media_id, title="Gone <b>", year=1999, is_demo=False)
        shown = html(draw("library", app))
        assert "Missing" in shown
        assert "Gone &lt;b&gt;" in shown
        assert button(draw("library", app), "Take them in")
