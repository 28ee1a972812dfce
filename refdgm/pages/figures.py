"""Pictures where looking beats reading: the quick form of an experiment, drawn when the site is made."""
import importlib

import refdgm
from refdgm.markup import escape

OF = {          # experiment -> the files of derivations beside which its picture stands
    "bound_and_noise": ("iwae_bound_chain", "signal_to_noise"),
    "gap_bars": ("inference_gap", "elbo_gap"),
    "mis_matrices": ("mis_detailed_balance", "jsa_root_finding"),
    "ignored_by_cd": ("cd_is_trajectory_kl",),
    "langevin_bias": ("langevin_bias",),
    "nce_error": ("nce_recovers_normaliser",),
    "game_spectra": ("yu2020_theorem4", "yu2020_theorem5"),
    "febm_mixture": ("febm_duality", "febm_game_gradient"),
}


def write_all(folder, progress):
    """Draw every picture into a folder -> {experiment: its <figure>, for a page at the site's root}."""
    from refdgm import drawing
    found = {}
    for n, name in enumerate(OF):
        progress(n, len(OF), f"figure {name}")
        experiment = importlib.import_module(f"refdgm.experiments.{name}")
        header = {"title": experiment.TITLE, "seed": 0, "version": refdgm.__version__, "quick": True}
        drawing.write(folder, experiment.NAME, header, experiment.make(quick=True, seed=0), experiment.draw)
        found[name] = (f'<figure><img src="figures/{experiment.NAME}.svg" alt="{escape(experiment.TITLE)}">'
                       f'<figcaption>{escape(experiment.TITLE)} '
                       f'(<a href="figures/{experiment.NAME}.csv">the numbers</a>)</figcaption></figure>')
    return found


def of(module, drawn):
    """The pictures of a page of derivations, one folder below the root."""
    return [drawn[name].replace('="figures/', '="../figures/') for name, pages in OF.items() if module in pages]
