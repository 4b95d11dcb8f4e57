# SPDX-License-Identifier: Apache-2.0
"""What check-trace and mutate share: reading mutants, applying one."""
import os
import re

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MUTANTS = os.path.join(TOP, "tests", "mutants")


class Mutant:
    """File, a regular expression that matches exactly once in it, what stands there instead, the test that fails.

    In match and replace \\n and \\t are a new line and a tab; match is otherwise what Python's re takes, replace is
    taken as it is.
    """

    def __init__(self, name):
        self.name = name
        with open(os.path.join(MUTANTS, name + ".mutant")) as f:
            lines = [l.rstrip("\n") for l in f if l.strip() and not l.startswith("#")]
        fields = dict(l.split(":", 1) for l in lines)
        if set(fields) != {"file", "match", "replace", "test"} or len(lines) != 4:
            raise ValueError(f"{name}: a mutant has file, match, replace and test")
        self.file, self.match, self.test = (fields[k].strip() for k in ("file", "match", "test"))
        self.replace = fields["replace"].lstrip().replace("\\n", "\n").replace("\\t", "\t")
        self.program, self.test_name = self.test.split(":", 1)

    def source(self, top=TOP):
        with open(os.path.join(top, self.file)) as f:
            return f.read()

    def n_matches(self):
        return len(re.findall(self.match, self.source()))

    def mutated(self, top):
        return re.sub(self.match, lambda _: self.replace, self.source(top), count=1)


def mutant_names():
    return sorted(f[:-len(".mutant")] for f in os.listdir(MUTANTS) if f.endswith(".mutant"))
