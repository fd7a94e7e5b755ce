"""The two stages of ``--video-stretch``, bound to their inputs as ``f2f.run`` binds the others."""

from __future__ import annotations

from f2f.results import SourceVideo, Speech, Stills, Translation
from f2f.stage_call import config_values
from f2f.stage_runner import StageRunner
from f2f.time_map import StretchedSource
from f2f.workspace import Stored


class StretchRunner(StageRunner):
    """Executes what makes a stretched source."""

    def stills(self, video: Stored[SourceVideo]) -> Stored[Stills]:
        """Find where the picture may be slowed."""
        from f2f.stages.stills import stills

        source, inputs = self.request.source, {"video": video.digest}
        return self._run(
            "stills", None, Stills, inputs, lambda context: stills(source, video.result, context)
        )

    def stretch(
        self,
        target: str,
        video: Stored[SourceVideo],
        translation: Stored[Translation],
        speech: Stored[Speech],
        still: Stored[Stills],
    ) -> Stored[StretchedSource]:
        """Slow it there where lines would be hurried."""
        from f2f.stages.stretch import stretch

        source, config = self.request.source, self.request.config.fit
        inputs = {
            "name": source.stem,
            "video": video.digest,
            "translation": translation.digest,
            "speech": speech.digest,
            "still": still.digest,
            "config": config_values(config),
        }
        return self._run(
            "stretch", target, StretchedSource, inputs,
            lambda context: stretch(
                source, video.result, translation.result, speech.result, still.result, config, context
            ),
        )  # fmt: skip
