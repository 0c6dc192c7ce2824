/* Job: how a fine-tune is told, in replies and in events.
 */
#ifndef SPARSED_API_JOB_H
#define SPARSED_API_JOB_H

#include "api/api.h"
#include "lib/engine/learner.h"

/* A job under way, as far as the learner tells. */
struct job_progress {
    struct learner_progress at;
    double held_out; /* of the last whole epoch; NAN: not known */
};

/* False if it is not under way. To be asked after the store was read: for a
 * moment the store knows of a job's end and its version does not serve yet. */
bool job_look(const struct learning *learning, int64_t id,
              struct job_progress *p);

/* One object; `p` NULL: it is not under way. If it is, the record's end is not
 * told yet. */
void job_print(struct buf *b, const struct job *j,
               const struct job_progress *p);
void job_print_progress(struct buf *b, const struct job_progress *p);

/* ,"held_out_error":x or ,"held_out_loss":x, null if it is not finite. */
void job_print_held_out(struct buf *b, const struct learner_progress *at,
                        double held_out);

/* The number, as a float, or null if it is not finite as one. */
void job_print_number(struct buf *b, double value);

#endif
