"""Jobs as rows: recordings, job logs and generated loads of cpu_scheduling; what is wrong with a trace is said."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from tests.real_parts import need
from trainers.arenas.cpu_scheduling import kind as cpu
from trainers.arenas.evaluate import bundled
from trainers.workloads import generate_cpu, perf_sched, swf
from trainers.workloads.errors import WorkloadError
from trainers.workloads.format import read, workload
from trainers.workloads.importers import import_workload
from trainers.workloads.jobs import Job, rows_of, weight_of_nice
from trainers.workloads.record_cpu import record
from trainers.workloads.tracers import printed_by_perf

FOLDER = Path(cpu.__file__).parent / "workloads"
README = (FOLDER / "README.md").read_text()

RECORDINGS_MAX = 20


def test_rows_are_in_order_of_what_would_be_ready_when_alone() -> None:
    jobs = [Job(10, "a", ((0, 5), (20, 7))), Job(12, "b", ((0, 100),), 64), Job(36, "a", ((0, 1),))]
    assert rows_of(jobs) == [
        (10, 0, 0, 16, 0, 5),
        (12, 1, 1, 64, 0, 100),
        (35, 0, 0, 16, 20, 7),
        (36, 2, 0, 16, 0, 1),
    ]


def test_weights_of_nice_levels_follow_linux_and_stay_within_bounds() -> None:
    linux = {-5: 3121, -3: 1991, -1: 1277, 0: 1024, 1: 820, 5: 335}
    for nice, weight in linux.items():
        assert weight_of_nice(nice) == pytest.approx(weight / 64, rel=0.06, abs=1)
    assert (weight_of_nice(-20), weight_of_nice(19), weight_of_nice(-120)) == (256, 1, 256)


SCRIPT = """\
            perf   10 [000]     1.000000: sched:sched_stat_runtime: comm=perf pid=10 runtime=480 [ns]
            perf   10 [001]     1.000000:       sched:sched_waking: comm=perf-exec pid=20 prio=120 target_cpu=000
         swapper    0 [000]     1.000100:       sched:sched_switch: prev_comm=swapper/0 prev_pid=0 prev_prio=120 \
prev_state=R ==> next_comm=perf-exec next_pid=20 next_prio=120
              sh   20 [000]     1.000600: sched:sched_process_fork: comm=sh pid=20 child_comm=sh child_pid=21
              sh   20 [000]     1.000600:   sched:sched_wakeup_new: comm=sh pid=21 prio=125 target_cpu=001
              sh   20 [000]     1.001100:       sched:sched_switch: prev_comm=sh prev_pid=20 prev_prio=120 \
prev_state=R+ ==> next_comm=stranger next_pid=99 next_prio=120
        stranger   99 [000]     1.002100:       sched:sched_switch: prev_comm=stranger prev_pid=99 prev_prio=120 \
prev_state=S ==> next_comm=sh next_pid=20 next_prio=120
        my prog:   21 [001]     1.002100:       sched:sched_switch: prev_comm=swapper/1 prev_pid=0 prev_prio=120 \
prev_state=R ==> next_comm=my prog: next_pid=21 next_prio=125
              sh   20 [000]     1.002600:       sched:sched_switch: prev_comm=sh prev_pid=20 prev_prio=120 \
prev_state=S ==> next_comm=swapper/0 next_pid=0 next_prio=120
        my prog:   21 [001]     1.003100:       sched:sched_waking: comm=sh pid=20 prio=120 target_cpu=000
             :-1   -1 [001]     1.003200:       sched:sched_switch: prev_comm=my prog: prev_pid=21 prev_prio=125 \
prev_state=Z ==> next_comm=swapper/1 next_pid=0 next_prio=120
         swapper    0 [000]     1.004000:       sched:sched_switch: prev_comm=swapper/0 prev_pid=0 prev_prio=120 \
prev_state=R ==> next_comm=sh next_pid=20 next_prio=120
              sh   20 [000]     1.004250:       sched:sched_switch: prev_comm=sh prev_pid=20 prev_prio=120 \
prev_state=X ==> next_comm=swapper/0 next_pid=0 next_prio=120
"""


def test_bursts_are_what_a_thread_computes_between_two_sleeps() -> None:
    """Preemption does not end a burst; waiting for a CPU is in neither burst nor sleep; strangers are left out."""
    assert perf_sched.jobs_of(SCRIPT.splitlines()) == [
        Job(0, "perf-exec", ((0, 1500), (500, 250)), 16),
        Job(600, "sh", ((0, 1100),), weight_of_nice(5)),
    ]


def test_without_a_command_everybody_is_kept() -> None:
    jobs = perf_sched.jobs_of(line for line in SCRIPT.splitlines() if "perf-exec pid" not in line)
    assert [job.source for job in jobs] == ["perf-exec", "sh", "stranger"]


def test_what_is_no_script_of_perf_is_told_with_its_line() -> None:
    with pytest.raises(WorkloadError, match="line 2: no event: 'hello'"):
        perf_sched.jobs_of([SCRIPT.splitlines()[0], "hello"])
    with pytest.raises(WorkloadError, match="no thread computed"):
        perf_sched.jobs_of([])


@pytest.mark.parametrize("seed", range(3))
def test_damaged_scripts_are_read_or_refused(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(60):
        lines = SCRIPT.splitlines()
        place = rng.randrange(len(lines))
        line = lines[place]
        cut = rng.randrange(len(line))
        lines[place] = rng.choice((line[:cut], line[cut:], line[:cut] + rng.choice("0x=:[ ") + line[cut + 1 :], ""))
        try:
            jobs = perf_sched.jobs_of(lines)
        except WorkloadError:
            continue
        assert all(burst >= 1 and sleep >= 0 for job in jobs for sleep, burst in job.bursts)


SWF = "; a log\n1 5 0 30 4 -1 -1 4 -1 -1 1 7 1 -1 1 -1 -1 -1\n\n2 5 9 -1 1 -1 -1 1 -1 -1 0 8 1 -1 1 -1 -1 -1\n"
SWF += "3 65 0 12 1 -1 -1 1 -1 -1 1 7 1 -1 1 -1 -1 -1 ; late\n"


def test_a_job_log_is_read_as_jobs_of_one_burst_that_ran() -> None:
    assert list(swf.jobs_of(SWF.splitlines())) == [Job(5, 7, ((0, 30),)), Job(65, 7, ((0, 12),))]


@pytest.mark.parametrize(
    ("line", "message"), [("1 2 3", "line 1: not 18 numbers"), (f"1 -5 {'1 ' * 16}", "submitted -5")]
)
def test_what_is_no_job_log_is_told_with_its_line(line: str, message: str) -> None:
    with pytest.raises(WorkloadError, match=message):
        list(swf.jobs_of([line]))


def test_both_are_imported_as_workloads(tmp_path: Path) -> None:
    for name, text, rows in (("perf-sched", SCRIPT, 3), ("swf", SWF, 2)):
        path = tmp_path / f"My {name}.txt"
        path.write_text(text)
        made = import_workload(path, name, capacity=2)
        assert (made.kind, made.name, made.capacity, made.rows) == ("cpu_scheduling", f"my-{name}", 2, rows)
        assert "a unit is" in made.origin
        path.write_text("nonsense\n")
        with pytest.raises(WorkloadError, match=r"My .*: line 1: "):
            import_workload(path, name)


def need_perf() -> None:
    need("perf")
    tried = subprocess.run(["perf", "sched", "record", "-o", "/dev/null", "true"], capture_output=True, check=False)
    if tried.returncode:
        pytest.skip("perf may not trace the scheduler here")


def test_a_real_program_is_recorded() -> None:
    need_perf()
    code = "import time\nfor _ in range(20):\n    sum(range(100_000)); time.sleep(.01)\n"
    for _try in range(RECORDINGS_MAX):  # the kernel throttles events where the rest of the machine makes many
        made = record([sys.executable, "-I", "-c", code], name="naps", part="train")
        assert made.status == 0
        assert (made.workload.kind, made.workload.name, made.workload.part) == ("cpu_scheduling", "naps", "train")
        columns = [made.workload.words[place :: cpu.WIDTH] for place in range(cpu.WIDTH)]
        if sum(columns[4]) > 100_000 and sum(columns[5]) > 1_000:
            return
    pytest.fail("twenty naps of ten thousand microseconds were not seen")


def test_events_that_perf_lost_are_counted(tmp_path: Path) -> None:
    need_perf()
    data = tmp_path / "sched.data"
    smallest = ["perf", "sched", "record", "-m", "1", "-o", str(data)]  # a buffer of one page
    storm = ["sh", "-c", "for each in $(seq 300); do /bin/true; done"]
    for _try in range(RECORDINGS_MAX):
        subprocess.run([*smallest, "--", *storm], capture_output=True, check=True)
        with printed_by_perf("perf", data, subcommand=("sched", "script"), chars_max=4096) as script:
            seen = sum(1 for _line in script)
            lost = script.lost()
        if lost:
            assert seen > lost
            return
    pytest.fail("a buffer of one page was never full")


@pytest.mark.parametrize("command", [[], ["no-such-program-anywhere"]])
def test_what_is_missing_is_told(command: list[str]) -> None:
    if shutil.which("perf") is None:
        with pytest.raises(WorkloadError, match="perf is not installed"):
            record(["true"])
        return
    with pytest.raises(WorkloadError, match=r"no command given|no such command"):
        record(command)


@pytest.mark.parametrize("family", generate_cpu.FAMILIES)
def test_generated_loads_are_those_that_are_committed(family: str) -> None:
    """Same seed, same rows; train and hidden part share nothing but the family."""
    for made in generate_cpu.workloads(family):
        assert read(FOLDER / f"{family}.{made.part}.workload") == made
    assert f"| `{family}` | {made.capacity} | {generate_cpu.FAMILIES[family].meaning} |" in README


def test_recordings_and_families_are_all_there_is() -> None:
    parts = defaultdict(set)
    for found in bundled("cpu_scheduling"):
        parts[found.name].add(found.part)
    assert all(both == {"train", "hidden"} for both in parts.values())
    recorded = parts.keys() - generate_cpu.FAMILIES.keys()
    assert len(recorded) >= 4
    for name in recorded:
        assert f"--name {name}" in README


def refused(*rows: tuple[int, ...]) -> str:
    with pytest.raises(WorkloadError) as caught:
        workload("w", rows, kind="cpu_scheduling")
    return str(caught.value)


def test_rows_that_make_no_sense_are_refused() -> None:
    assert "row 1: time 4 is before the row above, 5" in refused((5, 0, 0, 16, 0, 1), (4, 1, 0, 16, 0, 1))
    assert "burst 0 is not within" in refused((5, 0, 0, 16, 0, 0))
    assert "weight 257 is not within 1..256" in refused((5, 0, 0, 257, 0, 1))


def test_at_the_limit_of_time_a_workload_is_taken() -> None:
    assert workload("w", [(3, 0, 0, 16, 0, cpu.SPAN_MAX)], kind=cpu.KIND.name).size == 1
    assert "come to" in refused((3, 0, 0, 16, 0, cpu.SPAN_MAX), (4, 1, 0, 16, 0, 1))
