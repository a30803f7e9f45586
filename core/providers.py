"""What stands behind each port now: built from the settings of this moment, and built anew when they change."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar, runtime_checkable

from core.config import Config
from core.errors import InvalidInput, ModelMissing
from core.model.clips import Source
from core.model.runs import RunSettings
from core.services.live_config import LiveConfig
from core.services.settings import Settings, prices_of
from core.store.database import Database

if TYPE_CHECKING:
    from core.adapters.clipcafe_calls import Limits
    from core.adapters.clipcafe_line import Line
    from core.adapters.isolated import IsolatedPool
    from core.adapters.openai_server import OpenAIServer
    from core.adapters.source_clipcafe import ClipCafeSource
    from core.pipeline.bench import Pace
    from core.ports import Aligner, CallLedger, ClipSource, Judge, MediaTools, Transcriber
    from core.rules.prices import ModelPrice
    from core.services.run_now import ServerAsks
    from core.store.rate_slots import RateSlots

T = TypeVar("T")


@runtime_checkable
class Closing(Protocol):
    """What holds connections."""

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Provider:
    """What stands behind one port now, for the page's foot and for `doctor`."""

    name: str
    """`judge`, `transcriber`, `aligner`, `source`, `target`."""
    uses: str
    """For people: `Teachability rubric`."""
    why: str
    better: str
    """How to get the better one; empty where there is none."""
    is_ok: bool = True


class Providers:
    """The adapters of one process. `App` adds the services.

    Args:
        worker_id: of a worker; empty in other processes.
        reload: reads environment and files anew; None where `config` came from no file.
        clipcafe_time_scale: how many times faster ClipCafe's clock runs, for a test server.
    """

    def __init__(
        self,
        config: Config,
        database: Database | None = None,
        worker_id: str = "",
        *,
        reload: Callable[[], Config] | None = None,
        clipcafe_time_scale: float = 1.0,
    ) -> None:
        self.worker_id = worker_id
        self.database = database or Database(config.home_path, config.database_url)
        self.settings = Settings(self.database)
        self.live_config = LiveConfig(config, self.database, self.settings, reload)
        self._clipcafe_time_scale = clipcafe_time_scale
        self._pool: IsolatedPool | None = None
        self._built: dict[str, tuple[object, object]] = {}
        self._outlived: list[Closing] = []
        self._building = threading.RLock()

    @property
    def config(self) -> Config:
        """The settings of this moment: a key that was entered, a plan that was changed count from then on."""
        return self.live_config.now()

    def _kept(self, name: str, key: object, build: Callable[[], T]) -> T:
        """What was built for `key`, built anew when the settings that it depends on changed. What was replaced is closed at the end."""
        with self._building:
            known = self._built.get(name)
            if known is None or known[0] != key:
                if known is not None and isinstance(known[1], Closing):
                    self._outlived.append(known[1])
                known = self._built[name] = (key, build())
            return known[1]  # type: ignore[return-value]

    @property
    def pool(self) -> IsolatedPool:
        """Processes for decoders and recognisers; started on the first use."""
        from core.adapters.isolated import IsolatedPool

        if self._pool is None:
            self._pool = IsolatedPool()
        return self._pool

    @cached_property
    def media_tools(self) -> MediaTools:
        from core.adapters.isolated import IsolatedMediaTools
        from core.adapters.media_av import AvMediaTools

        return IsolatedMediaTools(self.pool, AvMediaTools())

    @cached_property
    def aligner(self) -> Aligner:
        from core.adapters.aligner_pocketsphinx import PocketSphinxAligner
        from core.adapters.isolated_sound import IsolatedAligner

        return IsolatedAligner(self.pool, PocketSphinxAligner())

    @property
    def transcriber_name(self) -> str:
        """The recogniser in use: what TRANSCRIBER says, else Whisper where a model is named, else captions."""
        if self.config.transcriber == "whisper" and not self.config.whisper_model:
            raise ModelMissing(
                "TRANSCRIBER=whisper needs WHISPER_MODEL.", hint="Set WHISPER_MODEL to a name such as small.en, or to a folder."
            )
        if self.config.transcriber == "openai" and not self.has_openai:
            raise ModelMissing(
                "TRANSCRIBER=openai needs OPENAI_API_KEY.", hint="Set it, enter it in Settings, or choose another recogniser."
            )
        return self.config.transcriber or ("whisper" if self.config.whisper_model else "captions")

    @property
    def own_transcriber_name(self) -> str:
        """What hears the user's own films: never a paid one, which no plan has shown."""
        return "whisper" if self.config.whisper_model and self.config.transcriber in ("", "whisper") else "captions"

    @property
    def judge_name(self) -> str:
        """The judge in use: what JUDGE says, else a model where a key or an address is set, else the rubric."""
        if self.config.judge == "openai" and not self.has_openai:
            raise ModelMissing("JUDGE=openai needs OPENAI_API_KEY.", hint="Set it, enter it in Settings, or set JUDGE to rubric.")
        return self.config.judge or ("openai" if self.has_openai else "rubric")

    @property
    def has_openai(self) -> bool:
        """Whether an OpenAI-compatible server is named; a server of one's own needs no key."""
        return bool(self.config.openai_api_key or self.config.openai_base_url)

    @property
    def is_paid(self) -> bool:
        """Whether the judge or the recogniser in use is paid by the call."""
        return self.has_openai and (self.config.judge in ("", "openai") or self.config.transcriber == "openai")

    def is_set_up(self, source: Source) -> bool:
        """Whether this source can be asked."""
        return source is Source.LIBRARY or (source is Source.CLIPCAFE and bool(self.config.clipcafe_key))

    def prices(self) -> Mapping[str, ModelPrice]:
        """The price table with the operator's edits."""
        return prices_of(self.settings)

    @cached_property
    def run_ledger(self) -> CallLedger:
        """Paid calls of this process, for the run that its thread works on."""
        from core.pipeline.ledger import DoubtPolicy, Ledger
        from core.pipeline.run_ledger import RunLedger

        return RunLedger(Ledger(self.database, self.worker_id or f"no-worker-{os.getpid()}"), DoubtPolicy.REPEAT)

    @cached_property
    def _on_wait(self) -> Callable[[float], None]:
        from core.pipeline.halting import PausePoint

        return PausePoint(self.database).on_wait

    @cached_property
    def _clipcafe_line(self) -> Line:
        """The one in which this process's requests stand, whatever becomes of key and limits."""
        from core.adapters.clipcafe_line import Line

        return Line()

    @property
    def limits(self) -> Limits:
        """What ClipCafe's plan allows, and how much of it is used, by all processes of this workspace."""
        from core.adapters.clipcafe_calls import clipcafe_limits

        config = self.config
        plan = (config.clipcafe_rate, config.clipcafe_requests_per_month, config.clipcafe_downloads_per_month)
        return self._kept(
            "limits", (config.clipcafe_base_url, plan), lambda: clipcafe_limits(self.database, config.clipcafe_base_url, *plan)
        )

    @property
    def clipcafe(self) -> ClipCafeSource:
        """The source; without a key its first call raises KeyRefused."""
        from core.adapters.clipcafe_calls import CountedCalls
        from core.adapters.source_clipcafe import ClipCafeSource

        config, limits = self.config, self.limits

        def build() -> ClipCafeSource:
            calls = CountedCalls(self.database, self.run_ledger, limits, on_wait=self._on_wait, line=self._clipcafe_line)
            downloads_path, scale = config.home_path / "downloads", self._clipcafe_time_scale
            return ClipCafeSource(config.clipcafe_base_url, config.clipcafe_key, calls, downloads_path, time_scale=scale)

        return self._kept("clipcafe", (config.clipcafe_base_url, config.clipcafe_key, id(limits)), build)

    @property
    def openai_server(self) -> OpenAIServer:
        """The one server that judge and recogniser share."""
        from core.adapters.openai_server import OpenAIServer

        config, n_at_once = self.config, self.settings.get("judge_in_flight")
        key = (config.openai_api_key, config.openai_base_url, n_at_once)
        return self._kept("openai", key, lambda: OpenAIServer(config.openai_api_key, config.openai_base_url, max_in_flight=n_at_once))

    def _openai_ledger(self, server: OpenAIServer) -> CallLedger:
        """The ledger, with the patience that this server asks for, shared by all workers."""
        from core.adapters.openai_calls import PatientCalls

        return PatientCalls(self.database, self.run_ledger, self._block_of(server), turn=server.turn, on_wait=self._on_wait)

    def _block_of(self, server: OpenAIServer) -> RateSlots:
        """Of which only the wait that the server asks for is used."""
        from core.store.rate_slots import RateSlots

        return RateSlots(self.database, server.host, 1, 60.0)

    def server_asks(self) -> ServerAsks | None:
        """Until when the server of judge and recogniser asked everybody to wait; None where it does not."""
        from core.services.run_now import ServerAsks

        if not self.has_openai:
            return None
        try:
            server = self.openai_server
        except InvalidInput:  # at such an address nobody was asked
            return None
        state = self._block_of(server).state()
        return ServerAsks(server.host, state.blocked_until, state.blocked_why) if state.blocked_until is not None else None

    def sources(self) -> Mapping[Source, ClipSource]:
        """Every source, by name."""
        from core.adapters.source_library import LibrarySource

        return {Source.LIBRARY: LibrarySource(self.database, self.media_tools), Source.CLIPCAFE: self.clipcafe}

    def pace_of(self, source: Source) -> Pace | None:
        """How fast and how much a source may be asked; None for one that is here."""
        from core.adapters.source_clipcafe import LINK_LIFE_S, LINK_MARGIN
        from core.pipeline.bench import Pace

        if source is not Source.CLIPCAFE:
            return None
        limits = self.limits
        life_s = LINK_LIFE_S * LINK_MARGIN / self._clipcafe_time_scale
        return Pace(limits.slots.rate, life_s, lambda: limits.downloads.state().n_left, lambda: limits.downloads.state().resets_at)

    def transcribers(self) -> Mapping[str, Transcriber]:
        """Every recogniser that is set up here, by name, each sharpened by forced alignment."""
        config = self.config
        server = self.openai_server if self.has_openai else None
        return self._kept("transcribers", (config.whisper_model, id(server)), lambda: self._transcribers(config, server))

    def _transcribers(self, config: Config, server: OpenAIServer | None) -> Mapping[str, Transcriber]:
        from core.adapters.aligner_pocketsphinx import PocketSphinxAligner
        from core.adapters.isolated_sound import IsolatedTranscriber
        from core.adapters.transcriber_aligned import AlignedTranscriber
        from core.adapters.transcriber_captions import CaptionsTranscriber
        from core.adapters.transcriber_known import KnownTranscriber

        found: dict[str, Transcriber] = {
            "captions": IsolatedTranscriber(self.pool, AlignedTranscriber(CaptionsTranscriber(), PocketSphinxAligner()))
        }
        found["known"] = KnownTranscriber()
        if config.whisper_model:
            from core.adapters.isolated_packed import IsolatedPackedTranscriber
            from core.adapters.packed_recognition import PackedTranscriber
            from core.adapters.transcriber_whisper import WhisperTranscriber

            packed = PackedTranscriber(WhisperTranscriber(config.whisper_model), PocketSphinxAligner())
            found["whisper"] = IsolatedPackedTranscriber(self.pool, packed)
        if server is not None:
            found["openai"] = AlignedTranscriber(self._paid_transcriber(server), self.aligner)
        return found

    def _paid_transcriber(self, server: OpenAIServer) -> Transcriber:
        from core.adapters.transcriber_openai import OpenAITranscriber
        from core.store.clips import slug_of_media

        def slug(media_path: Path) -> str:
            with self.database.read() as connection:
                return slug_of_media(connection, media_path.stem)

        return OpenAITranscriber(server, self._openai_ledger(server), prices=self.prices, name_of=slug)

    def judges(self) -> Mapping[str, Judge]:
        """Every judge, by name; a run that froze one that is no longer set up is told so by the first call."""
        from core.adapters.judge_openai import OpenAIJudge
        from core.adapters.judge_rubric import RubricJudge

        model, server = self.config.judge_model, self.openai_server
        paid = self._kept(
            "judge", (model, id(server)), lambda: OpenAIJudge(server, self._openai_ledger(server), model=model, prices=self.prices)
        )
        return {"rubric": RubricJudge(), "openai": paid}

    def freeze(self, settings: RunSettings) -> RunSettings:
        """The settings with the judge and recogniser that are in use now: a run keeps them to its end."""
        judge = self.judges()["rubric" if settings.is_demo else settings.judge or self.judge_name]  # a demo spends nothing
        transcriber = settings.transcriber or self.transcriber_name
        models = {"whisper": self.config.whisper_model, "openai": "whisper-1"}
        return replace(
            settings,
            judge=judge.name,
            judge_model=judge.model,
            transcriber=transcriber,
            transcriber_model="" if settings.transcriber else models.get(transcriber, ""),
        )

    def providers(self) -> list[Provider]:
        """What is in use, in the order of the page's foot; the target stands with the exports."""
        return [*_faults(self.live_config.fault), self._judge_row(), self._transcriber_row(), self._source_row()]

    def _judge_row(self) -> Provider:
        config = self.config
        if config.judge == "openai" and not self.has_openai:
            return Provider("judge", "None", "JUDGE is openai, and no key is set.", "Enter OPENAI_API_KEY in Settings.", is_ok=False)
        if self.judge_name == "openai":
            from core.adapters.judge_openai import PROMPT_VERSION

            why = f"{self._chosen_by('JUDGE')} names it." if config.judge else "A key or an address is set; the plan shows what it costs."
            return Provider("judge", f"{config.judge_model}, prompt {PROMPT_VERSION}", why, "")
        why = f"{self._chosen_by('JUDGE')} names it." if config.judge else "It runs here and needs no key."
        return Provider("judge", "Teachability rubric", why, "" if config.judge else "Enter an OpenAI key to have a model judge.")

    def _chosen_by(self, variable: str) -> str:
        return variable if variable in self.config.origins else "Settings"

    def _transcriber_row(self) -> Provider:
        config = self.config
        try:
            name = self.transcriber_name
        except ModelMissing as error:
            return Provider("transcriber", "None", error.message, error.hint, is_ok=False)
        if name == "whisper":
            return Provider("transcriber", f"Whisper {Path(config.whisper_model).name}, then alignment", "WHISPER_MODEL names it.", "")
        if name == "openai":
            return Provider(
                "transcriber",
                "OpenAI whisper-1, then alignment",
                f"{self._chosen_by('TRANSCRIBER')} names it; it is paid by the minute.",
                "",
            )
        return Provider(
            "transcriber",
            "Captions with forced alignment",
            "No Whisper model is named; words are timed, and not verified by the sound.",
            "Set WHISPER_MODEL to small.en (about 480 MB, fetched once) or to a folder with a model.",
        )

    def _source_row(self) -> Provider:
        if self.is_set_up(Source.CLIPCAFE):
            return Provider("source", "ClipCafe and own films", "A key is set.", "")
        return Provider("source", "Own films", "They are read in place.", "A ClipCafe key, entered in Settings, finds clips of more films.")

    def close_providers(self) -> None:
        """Let go of connections and processes."""
        for outlived in [*self._outlived, *(built for _, built in self._built.values() if isinstance(built, Closing))]:
            outlived.close()
        if self._pool is not None:
            self._pool.close()


def _faults(fault: str) -> list[Provider]:
    if not fault:
        return []
    return [Provider("settings", "As before", f"A changed file cannot be used: {fault}", "Mend .env or .env.secrets.", is_ok=False)]
