"""The page that a training ends with."""

from netlab.errors import Interrupted, NetlabError
from netlab.files import write_text
from netlab.runs.folder import RunDir
from netlab.runs.summary import epoch_rows
from netlab.scoring.page import run_page
from netlab.scoring.score import score
from netlab.tasks.load import load_weights
from netlab.training.loop import Trainer


def write_training_page(trainer: Trainer, run: RunDir) -> None:
    """Score the best network on the validation split, if that takes no minutes, and write the page.

    The run is done and saved: whatever goes wrong here is a message.
    """
    try:
        report = None
        if trainer.task.page_at_end:
            trainer.listener.message(
                f"scoring the best network on {len(trainer.val):,} pictures for {run.page.name}"
            )
            report = score(
                trainer.task.report(trainer.val, "val", lambda: trainer.train),
                trainer.task,
                trainer.machine.place(load_weights(run.best).network),
                trainer.val,
                trainer.machine,
                2 * trainer.config.batch_size,
                trainer.stopped,
            )
        write_text(run.page, run_page(run, epoch_rows(run), trainer.config, report))
    except Interrupted:
        trainer.listener.message("no report: stopped; netlab eval writes one")
    except NetlabError as error:
        trainer.listener.message(f"no report: {error}")
    except Exception as error:  # a page is not worth the exit code of a finished run
        trainer.listener.message(f"no report: {error!r}")
    else:
        trainer.listener.message(f"report {run.page}")
