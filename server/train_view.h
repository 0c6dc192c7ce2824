/* Train view: how a training is told while it runs. A terminal gets a bar that
 * redraws itself, a file or pipe a line per epoch, both on stderr; with --json
 * stdout gets an object per epoch.
 */
#ifndef SPARSED_SERVER_TRAIN_VIEW_H
#define SPARSED_SERVER_TRAIN_VIEW_H

#include "lib/train/trainer.h"

#include <stdbool.h>

struct train_view {
    bool json;     /* --json */
    bool terminal; /* stderr is one */
    bool drawn;    /* the cursor stands in a bar */
    usec last;     /* when the bar was drawn */
    double figure; /* of the last epoch's validation; NAN: none */
    const char *figure_name;
};

void train_view_init(struct train_view *v, bool json);

/* Tells the progress. False if stdout no longer takes what is written. */
bool train_view_show(struct train_view *v, const struct train_progress *p);

/* Leaves the bar, so that other lines may follow. */
void train_view_end(struct train_view *v);

#endif
