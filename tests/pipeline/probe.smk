"""test_wildcards.py appends this to a copy's Snakefile. It writes what each rule passes to jobs, by their wildcards."""

import contextlib
import io
import json

with open("probe.json") as file:
    VALUES = json.load(
        file
    )  # by wildcard or rule/wildcard: two valid values, then an invalid one

PROBED = [rule for rule in workflow.rules if rule.name != "no_such_figure"]


def job_of(rule, wildcards):
    """Inputs, parameters and wildcards of a job: all that it gets except the paths of its outputs."""
    paths = rule.expand_input(wildcards)[0]
    output = rule.expand_output(wildcards)[0]
    params, compared = rule.expand_params(wildcards, paths, output, None)
    on_command_line = [
        name for name in wildcards if f"{{wildcards.{name}}}" in rule.shellcmd
    ]
    return {
        "wildcards": wildcards,
        "input": [
            {"path": str(path), "rule": maker.name, "wildcards": made_by(maker, path)}
            for path in paths
            for maker in makers(path)
        ],
        "params": [repr(value) for value in compared],
        "settings": params.get("settings"),
        "stage": stage_of(rule),
        "code": params.get("code"),
        "command": {name: wildcards[name] for name in on_command_line},
    }


def stage_of(rule):
    """The stage that a rule runs, by its command; None for a rule without a command."""
    _, _, command = (rule.shellcmd or "").partition("dynamic_sparsity.stages.")
    return command.split()[0] if command else None


def makers(path):
    """The rules that make a file: all rules with an output whose pattern it matches."""
    return [rule for rule in PROBED if rule.is_producer(str(path))]


def made_by(rule, path):
    return dict(rule.get_wildcards(str(path)))


def refusal(rule, wildcards):
    """The message with which Snakemake stops when it plans a job and the jobs before it; None if it does not stop."""
    with contextlib.redirect_stderr(io.StringIO()) as output:
        try:
            ask(rule, wildcards)
        except SystemExit:
            return output.getvalue()


def ask(rule, wildcards):
    for path in rule.expand_input(wildcards)[0]:
        for maker in makers(path):
            ask(maker, made_by(maker, path))


def values(rule, name):
    return VALUES.get(f"{rule.name}/{name}") or VALUES[name]


def probed(rule):
    names = sorted(rule.wildcard_names)
    first = {name: values(rule, name)[0] for name in names}
    return {
        "first": job_of(rule, first),
        "other": {
            name: job_of(rule, {**first, name: values(rule, name)[1]}) for name in names
        },
        "refused": {
            name: refusal(rule, {**first, name: values(rule, name)[2]})
            for name in names
        },
    }


with open("probed.json", "w") as file:
    json.dump({rule.name: probed(rule) for rule in PROBED}, file)
