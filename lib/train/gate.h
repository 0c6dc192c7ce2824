/* Gate: is the child better than its parent, on rows that neither was trained
 * on?
 *
 * With labels: yes if the child's mean error per label is lower, not by one row
 * only (of many epochs one is lucky), and no label that the parent knows got
 * worse by more than a point (of a hundred) that is also more than two rows. Of
 * each such label there must be a row to tell it by. The
 * parent is wrong on all rows of a label that it does not know. Without labels,
 * where nothing is classified, or where only rows without labels were learned:
 * yes if the mean loss of the tuning phase is lower and the error per label,
 * where there is one, is not higher. Operator's test rows, where given, are
 * judged by the same rule by themselves, and both must pass.
 */
#ifndef SPARSED_TRAIN_GATE_H
#define SPARSED_TRAIN_GATE_H

#include "lib/train/measure.h"
#include "lib/train/recipe.h"

/* Rows of one place: labels are class indices of the child. */
struct gate_rows {
    const struct dataset *rows;
    const uint32_t *index; /* (n), or NULL: all */
    size_t n;
};

/* What a model does on such rows. */
struct gate_figures {
    struct measures all;
    double error; /* mean over labels; NAN without any */
    double loss;  /* mean of the phase's whole loss */
    size_t n_labels;
    struct label_measures *labels; /* (n_labels), owned */
};

/* Of n_labels classes the model knows the first ones; the others are wrong. */
enum err_code gate_measure(struct gate_figures *f, const struct model *m,
                           size_t n_labels, const struct loss_weights *weights,
                           const struct gate_rows *rows, struct team *team,
                           struct err *e) ERR_CHECKED;
void gate_figures_fini(struct gate_figures *f); /* accepts zeroed ones */

/* The first of n_known labels that is worse by more than the gate allows, or
 * n_known. One without rows is not. */
size_t gate_worse_label(const struct gate_figures *before,
                        const struct gate_figures *after, size_t n_known);

/* {"rows", "error" (mean per label), "loss", "relative_error",
 *  "labels": {"7": {"rows", "wrong", "error"}}}, and "test": the same of the
 * operator's rows, where given; members that mean nothing for the model are
 * null. A label without rows has the error null, and is not judged. */
struct gate_verdict {
    bool better;
    char reason[256];
    struct json *before, *after; /* owned by the caller */
};

/* `measure` says what is to be lower: the error, or the loss. */
enum err_code gate_judge(const struct model *parent, const struct model *child,
                         const struct loss_weights *weights,
                         enum recipe_measure measure,
                         const struct gate_rows *held_out,
                         const struct gate_rows *test, /* NULL: none */
                         struct team *team, struct gate_verdict *v,
                         struct err *e) ERR_CHECKED;

#endif
