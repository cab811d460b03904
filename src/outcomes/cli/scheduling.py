"""`outcomes schedule`: what to paste so that a scheduler calls `outcomes run --due`."""

import shlex
import sys
from pathlib import Path

#: Schedulers for which there is a snippet.
SCHEDULERS = ("cron", "systemd", "windows", "airflow")


def write_snippet(scheduler: str) -> str:
    """Return a snippet for a scheduler (see `SCHEDULERS`) that runs what is due here every hour.

    Calling more often does no harm: what is not due is not made, and nothing is made twice.
    """
    write = {"cron": _cron, "systemd": _systemd, "windows": _windows, "airflow": _airflow}[scheduler]
    return write(str(Path.cwd()), str(Path(sys.executable).parent / "outcomes"))


def _cron(folder: str, program: str) -> str:
    command = f"cd {shlex.quote(folder)} && {shlex.quote(program)} run --due".replace("%", r"\%")
    return f"""\
# crontab -e; cron e-mails what is printed to MAILTO, and nothing is printed where nothing is due.
MAILTO=you@example.org
17 * * * * {command} --quiet
# A monitor, on another machine where that is possible:
# 0 8 * * * cd {shlex.quote(folder)} && {shlex.quote(program)} status --max-age 26h
"""


def _systemd(folder: str, program: str) -> str:
    folder, program = folder.replace("%", "%%"), program.replace("%", "%%")
    return f"""\
# ~/.config/systemd/user/outcomes.service
[Unit]
Description=Reports that are due

[Service]
Type=oneshot
WorkingDirectory={folder}
ExecStart="{program}" run --due
# SMTP and ping settings, for their owner only (chmod 600)
EnvironmentFile=-%h/.config/outcomes.env
TimeoutStartSec=5h

# ~/.config/systemd/user/outcomes.timer
[Unit]
Description=Look for reports that are due, every hour

[Timer]
OnCalendar=hourly
Persistent=true

[Install]
WantedBy=timers.target

# then: systemctl --user daemon-reload && systemctl --user enable --now outcomes.timer
# to have it run while nobody is logged in: loginctl enable-linger
"""


def _windows(folder: str, program: str) -> str:
    folder, program = folder.replace("'", "''"), program.replace("'", "''")
    return f"""\
# PowerShell, as the user whose reports these are; no administrator rights are needed.
$action   = New-ScheduledTaskAction -Execute '{program}.exe' -Argument 'run --due' `
            -WorkingDirectory '{folder}'
$trigger  = New-ScheduledTaskTrigger -Once -At (Get-Date).Date -RepetitionInterval (New-TimeSpan -Hours 1)
$settings = New-ScheduledTaskSettingsSet -StartWhenAvailable -MultipleInstances IgnoreNew `
            -ExecutionTimeLimit (New-TimeSpan -Hours 5)
Register-ScheduledTask -TaskName 'outcomes' -Action $action -Trigger $trigger -Settings $settings
"""


def _airflow(folder: str, program: str) -> str:
    command = f"cd {shlex.quote(folder)} && {shlex.quote(program)} run --due --wait 600"
    return f"""\
# dags/outcomes.py: Airflow calls, outcomes knows what is due and keeps the last good pages.
from datetime import datetime, timedelta

from airflow.sdk import dag
from airflow.providers.standard.operators.bash import BashOperator


@dag(schedule="@hourly", start_date=datetime(2026, 1, 1), catchup=False, max_active_runs=1)
def outcomes():
    # exit code 8 (another run holds the lock) is no failure: the other run does the work
    BashOperator(
        task_id="run_due",
        bash_command={command!r},
        skip_on_exit_code=8,
        execution_timeout=timedelta(hours=5),
    )


outcomes()
"""
