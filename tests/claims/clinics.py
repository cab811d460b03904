"""Random clinics whose records the tests hold themselves, written as files for the public reader."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

#: Target day and last day of the window of each time point, as timepoints.toml has them.
DAYS = {
    "baseline": (0, 7),
    "week_6": (42, 62),
    "month_3": (91, 129),
    "month_6": (183, 258),
    "month_12": (365, 516),
}
#: Lowest and highest score, step and which end is better (-1: a lower score).
SCALES = {
    "odi": (0.0, 100.0, 2.0, -1),
    "nprs:average": (0.0, 10.0, 1.0, -1),
    "oks": (0.0, 48.0, 1.0, 1),
    "sorensen_s": (0.0, 240.0, 1.0, 1),
    "pgic7": (1.0, 7.0, 1.0, -1),
}
EXTRACTED = pd.Timestamp("2026-06-30")


@dataclass(frozen=True)
class Clinic:
    """What was recorded: one row an episode, and one row a score."""

    name: str
    episodes: pd.DataFrame
    #: episode_id, outcome, time, day, score
    scores: pd.DataFrame
    design: str = "routine"
    outcome: str = "odi"
    primary: str = "month_3"
    reference: str = "usual_care"
    covariates: tuple[str, ...] = ("age_years", "sex")
    profile: str = "standard"
    region: str = "low_back"
    caveats: tuple[str, ...] = ()
    #: Lines of the source below ``[primary]`` and further tables.
    more: str = ""
    outcomes: tuple[str, ...] = field(default=("odi",))

    def write(self, folder: Path) -> Path:
        """Write the files and the source of the clinic; return the path of the source."""
        folder.mkdir(parents=True)
        self.episodes.drop(columns=["patient"]).to_csv(folder / "episodes.csv", index=False)
        wide = self.scores.pivot_table(index=["episode_id", "day"], columns="outcome", values="score")
        wide = wide.reset_index().rename(columns={name: name.split(":")[0] for name in self.outcomes})
        starts = self.episodes.set_index("episode_id")["start_date"]
        days = pd.to_datetime(wide["episode_id"].map(starts)) + pd.to_timedelta(wide.pop("day"), unit="D")
        wide.insert(1, "date", days.dt.strftime("%Y-%m-%d"))
        wide.to_csv(folder / "scores.csv", index=False)
        path = folder / f"{self.name}.toml"
        path.write_text(self._declare(folder), encoding="utf-8")
        return path

    def _declare(self, folder: Path) -> str:
        instrument, _, variant = self.outcome.partition(":")
        lines = [
            f'name = "{self.name}"', 'label = "A clinic of the tests"', "made_up = true", "k_min = 0",
            f'design = "{self.design}"', f'disclosure_profile = "{self.profile}"',
            f'extracted_on = "{EXTRACTED:%Y-%m-%d}"', "max_refused_share = 1.0",
            f"caveats = {list(self.caveats)}".replace("'", '"'),
            "[primary]", f'instrument = "{instrument}"', f'timepoint = "{self.primary}"',
            *([f'variant = "{variant}"'] if variant else []),
            *([f'reference = "{self.reference}"'] if self.reference else []),
            f"covariates = {list(self.covariates)}".replace("'", '"'),
            self.more,
            "[[file]]", 'path = "episodes.csv"', 'rows = "episode"', "[file.columns]",
            *(f'{name} = "{name}"' for name in self.episodes if name not in ("patient", "declined")),
            *(["[[file.exclude]]", 'column = "declined"', 'values = ["yes"]',
               'reason = "the patient declined"'] if "declined" in self.episodes else []),
            "[[file]]", 'path = "scores.csv"', 'rows = "assessment"',
            'columns = { episode_id = "episode_id", date = "date" }',
        ]  # fmt: skip
        for name in self.outcomes:
            id, _, variant = name.partition(":")
            lines += ["[[file.scores]]", f'instrument = "{id}"', f'column = "{id}"']
            lines += [f'variant = "{variant}"'] if variant else []
            lines += ['scale = "one_best"'] if id == "pgic7" else []
        return "\n".join(lines) + "\n"

    def without(self, patients: set[str]) -> Clinic:
        """Return the clinic as it was before some patients came."""
        episodes = self.episodes[~self.episodes["patient"].isin(patients)]
        scores = self.scores[self.scores["episode_id"].isin(episodes["episode_id"])]
        return replace(self, episodes=episodes, scores=scores)


def draw_clinic(
    name: str,
    seed: int,
    n_patients: int,
    therapies: dict[str, float],
    *,
    sites: tuple[str, ...] = (),
    outcomes: tuple[str, ...] = ("odi",),
    times: tuple[str, ...] = ("week_6", "month_3", "month_6"),
    lost: float = 0.2,
    floor: dict[str, float] | None = None,
    spread: float = 10.0,
    shift: dict[str, float] | None = None,
    gain: dict[str, float] | None = None,
    years: float = 3.0,
    unrecorded: float = 0.03,
    therapists: int = 0,
    site_gain: dict[str, float] | None = None,
    drift: float = 0.0,
    **declared: object,
) -> Clinic:
    """Draw a clinic.

    `therapies` gives the share of patients of each; `floor` per therapy the share whose follow-up scores lie
    at the best end; `shift` moves the start and `gain` is the improvement, both as percent of the range.
    `site_gain` is gained beside it at a site, and `drift` in the last third of the time.
    """
    rng = np.random.default_rng(seed)
    names = list(therapies)
    n = n_patients + max(n_patients // 12, 1)  # a few come twice
    patient = np.r_[np.arange(n_patients), rng.choice(n_patients, n - n_patients, replace=False)]
    days = rng.integers(0, int(365 * years), n)
    start = EXTRACTED - pd.to_timedelta(days + rng.choice([0, 30], n), unit="D")
    episodes = pd.DataFrame(
        {
            "episode_id": [f"e{number:04d}" for number in range(n)],
            "patient": [f"p{code:04d}" for code in patient],
            "patient_id": [f"p{code:04d}" for code in patient],
            "therapy": rng.choice(names, n, p=np.array(list(therapies.values())) / sum(therapies.values())),
            "start_date": start.strftime("%Y-%m-%d"),
            "region": declared.get("region", "low_back"),
            "age_years": np.clip(rng.normal(50, 13, n), 18, 88).round(),
            "sex": rng.choice(["female", "male"], n, p=[0.6, 0.4]),
        }
    )
    if sites:
        episodes["site"] = rng.choice(sites, n)
    if therapists:
        episodes["therapist"] = [f"t{number}" for number in rng.integers(0, therapists, n)]
    if "declined" in declared.pop("exclude", ()):
        episodes["declined"] = np.where(rng.uniform(size=n) < 0.05, "yes", "no")
    gone = rng.uniform(size=(3, n)) < unrecorded
    episodes.loc[gone[0], "therapy"] = None
    episodes.loc[gone[1], "sex"] = None
    own = episodes["therapy"].map(gain or {}).fillna(15)
    own = own + (episodes["site"].map(site_gain or {}).fillna(0) if sites else 0)
    own = own + np.where(days < 365 * years / 3, drift, 0)
    scores = _draw_scores(rng, episodes, outcomes, times, lost, spread, shift or {}, own, floor or {})
    at_start = (scores["time"] == "baseline") & scores["episode_id"].isin(episodes.loc[gone[2], "episode_id"])
    declared = {"outcome": outcomes[0], **declared}
    return Clinic(name, episodes, scores[~at_start], outcomes=outcomes, **declared)


def _draw_scores(rng, episodes, outcomes, times, lost, spread, shift, gain, floor) -> pd.DataFrame:
    n, rows = len(episodes), []
    severity = rng.normal(0, spread, n)
    leaves = rng.uniform(size=n) < lost
    leaves_at = rng.integers(1, len(times) + 1, n)
    observed = (EXTRACTED - pd.to_datetime(episodes["start_date"])).dt.days.to_numpy()
    for outcome in outcomes:
        low, high, step, sign = SCALES[outcome]
        for place, time in enumerate(("baseline", *times)):
            if outcome == "pgic7" and time == "baseline":
                continue
            share = place / len(times)
            per = gain.to_numpy() * share
            worse = 55 + episodes["therapy"].map(shift).fillna(0).to_numpy() + severity - per
            worse = worse + rng.normal(0, 6, n)
            if place and outcome == outcomes[0]:
                at_end = rng.uniform(size=n) < episodes["therapy"].map(floor).fillna(0.02).to_numpy()
                worse = np.where(at_end, -1000, worse)
            raw = low + (worse if sign < 0 else 100 - worse) / 100 * (high - low)
            score = np.clip(np.round(raw / step) * step, low, high)
            target = DAYS[time][0]
            kept = target + 3 <= observed
            kept &= ~(leaves & (place >= leaves_at)) & ((rng.uniform(size=n) > lost / 3) | (place == 0))
            day = np.full(n, target) + (rng.integers(-2, 3, n) if place else 0)
            rows.append(
                pd.DataFrame(
                    {"episode_id": episodes["episode_id"], "outcome": outcome, "time": time, "day": day,
                     "score": score}
                )[kept]
            )  # fmt: skip
    return pd.concat(rows, ignore_index=True)
