/* Gate: is the child better than its parent, on rows that neither was trained
 * on?
 *
 * With labels: yes if the child's mean error per label is lower, and no label
 * that the parent knows got worse by more than a point (of a hundred) that is
 * also more than one row. The parent is wrong on all rows of a label that it
 * does not know. Without labels, or where nothing is classified: yes if the
 * mean loss of the tuning phase is lower. Operator's test rows, where given,
 * are judged by the same rule by themselves, and both must pass.
 */
#ifndef SPARSED_TRAIN_GATE_H
#define SPARSED_TRAIN_GATE_H

#include "lib/train/measure.h"

/* Rows of one place: labels are class indices of the child. */
struct gate_rows {
    const struct dataset *rows;
    const uint32_t *index; /* (n), or NULL: all */
    size_t n;
};

/* {"rows", "error" (mean per label), "loss", "relative_error",
 *  "labels": {"7": {"rows", "wrong", "error"}}}, and "test": the same of the
 * operator's rows, where given; members that mean nothing for the model are
 * null. */
struct gate_verdict {
    bool better;
    char reason[256];
    struct json *before, *after; /* owned by the caller */
};

enum err_code gate_judge(const struct model *parent, const struct model *child,
                         const struct loss_weights *weights,
                         const struct gate_rows *held_out,
                         const struct gate_rows *test, /* NULL: none */
                         struct team *team, struct gate_verdict *v,
                         struct err *e) ERR_CHECKED;

#endif
