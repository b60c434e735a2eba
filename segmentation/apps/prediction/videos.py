"""A video on its way: masks frame by frame, and the same video with what is seen in it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from itertools import count

from segmentation.apps.prediction.answer import Tally
from segmentation.apps.prediction.output import Row
from segmentation.apps.prediction.pictures import Asked, Pictures, row_of
from segmentation.apps.prediction.pipeline import overlapped
from segmentation.apps.prediction.subject import Subject
from segmentation.data.image.pixels import as_rgb
from segmentation.data.image.results.videos import SUFFIX, VideoWriter
from segmentation.data.image.videos import VideoFile
from segmentation.errors import UserError
from segmentation.inference.smoothing import TemporalSmoothing


class Frames:
    """The frames of a video one after the other; `fault` tells why they ended before the video says it does."""

    def __init__(self, video: VideoFile, pictures: Pictures) -> None:
        self.video, self.pictures = video, pictures
        self.fault: UserError | None = None
        self._frames = video.frames()
        self._ended = False

    def numbers(self) -> Iterator[int]:
        """Of frames to read, until there are no more: when is only known when they have been read."""
        numbers = count()
        while not self._ended:
            yield next(numbers)

    def read(self, number: int) -> Subject | None:
        """The next one; None beyond the last."""
        try:
            image = next(self._frames, None)
        except UserError as error:
            image, self.fault = None, error
        if image is None:
            self._ended = True
            return None
        return Subject(f"{self.video.key}/{number:06d}", image, self.pictures.scorer.sizes)


@dataclass(frozen=True)
class Videos:
    """`keep` and `cut` are those of `TemporalSmoothing`; a `keep` of 0 is none."""

    pictures: Pictures
    keep: float
    cut: float

    def predict(self, video: VideoFile, advance: Callable[[], None]) -> tuple[Row, UserError | None]:
        """Its row, and what is wrong with it if it could not be read to its end. Raises `UserError` where it cannot be
        predicted or written; then there is no overlay of it.
        """
        frames, smoothing = Frames(video, self.pictures), TemporalSmoothing(self.keep, self.cut) if self.keep else None
        overlay, tallies = self.pictures.wanted.overlay, list[Tally]()
        name = f"overlay/{video.key}{SUFFIX}"
        with ExitStack() as stack:
            writer = None
            if overlay is not None:
                writer = stack.enter_context(VideoWriter(self.pictures.folder / name, video.size, video.fps))

            def ask(subject: Subject | None) -> Asked | None:
                return None if subject is None else self.pictures.ask(subject, whole=smoothing is not None)

            def write(asked: Asked | None) -> Tally | None:
                return None if asked is None else self._written(asked, smoothing, writer)

            with closing(overlapped(frames.numbers(), frames.read, ask, write, threads=1)) as given:
                for _, tally in given:
                    if isinstance(tally, UserError):
                        raise tally
                    if tally is not None:
                        tallies.append(tally)
                        advance()
        files = [name] if overlay is not None else []
        row = row_of(video.key, video.path, video.size, Tally.together(tallies), files)
        return {**row, "frames": len(tallies), "fps": video.fps}, frames.fault

    def _written(self, asked: Asked, smoothing: TemporalSmoothing | None, writer: VideoWriter | None) -> Tally:
        """In the order of the frames, for each is smoothed with those before."""
        image, overlay = asked.subject.image, self.pictures.wanted.overlay
        assert image is not None
        if smoothing is not None:
            assert asked.probabilities is not None
            asked = replace(asked, probabilities=smoothing(asked.probabilities, as_rgb(image)))
        asked = self.pictures.refined(asked)
        decision = self.pictures.decision(asked)
        labels = self.pictures.post.tidied(decision.labels)
        list(self.pictures.written_of_any(asked, decision, labels))
        if writer is not None and overlay is not None:
            writer.add(overlay.frame(image, labels))
        return Tally.of(labels, decision.confidence, len(self.pictures.classes))
