"""The table, on the terminal and in RESULTS.md."""
import dataclasses

import row as rows_


def from_json(j):
    names = [f.name for f in dataclasses.fields(rows_.Row)]
    return rows_.Row(**{n: j[n] for n in names})


def plain(row):
    """For who watches: the table's own lines."""
    return rows_.lines(row).rstrip()


def write(path, found):
    out = ["# Results\n",
           "- machine: %s" % found["machine"],
           "- commit: %s, %s" % (found["commit"], found["day"]),
           "- command: make bench",
           "- running processes as it began (load average): %.1f\n"
           % found["load"],
           "Median (least-most) of the rounds; a ratio is made within a round, "
           "from figures taken one\nright after the other, and says how many "
           "times better sparsed is, or what part of a\nceiling (%), or how "
           "many times a bound (\"at most\"). Of several peers the strongest "
           "stands\nfirst and counts. Results are compared before speed is.\n",
           rows_.HEAD.rstrip()]
    for family in found["families"].values():
        out += [rows_.lines(from_json(j)).rstrip() for j in family["rows"]]
    out.append("")
    for name, family in found["families"].items():
        text = "- %s: %d rounds, %d s" % (name, family["rounds"],
                                          family["seconds"])
        out.append("; ".join([text] + family["notes"]))
    path.write_text("\n".join(out) + "\n")
