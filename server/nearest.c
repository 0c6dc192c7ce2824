/* Nearest: the fewest letters to add, leave out or replace (Levenshtein), at
 * most one of three.
 */
#include "server/nearest.h"

#include <string.h>

#define MAX_LENGTH 64

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t count_edits(const char *a, size_t n, const char *b, size_t m)
{
    size_t row[MAX_LENGTH + 1]; /* from the letters of a so far to b[0..j) */

    for (size_t j = 0; j <= m; j++)
        row[j] = j;
    for (size_t i = 0; i < n; i++) {
        size_t corner = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < m; j++) {
            size_t replaced = corner + (a[i] != b[j]);
            corner = row[j + 1];
            row[j + 1] = least(replaced, least(row[j], row[j + 1]) + 1);
        }
    }
    return row[m];
}

void nearest_begin(struct nearest *n, const char *name, size_t length)
{
    *n = (struct nearest){.name = name, .length = length};
    n->edits = (length + 2) / 3 + 1;
}

void nearest_try(struct nearest *n, const char *candidate)
{
    size_t length = strlen(candidate);

    if (length > MAX_LENGTH || n->length > MAX_LENGTH)
        return;
    size_t edits = count_edits(n->name, n->length, candidate, length);
    if (edits < n->edits) {
        n->edits = edits;
        n->best = candidate;
    }
}
