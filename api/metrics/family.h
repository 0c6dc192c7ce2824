/* Families of metrics: the one table of all that /metrics shows. Its rows are
 * told in Prometheus's text and in OpenMetrics, and in docs/monitoring.md.
 */
#ifndef SPARSED_API_METRICS_FAMILY_H
#define SPARSED_API_METRICS_FAMILY_H

struct scrape;

/* INFO: the labels say something, the value is 1. */
enum family_type {
    FAMILY_COUNTER,
    FAMILY_GAUGE,
    FAMILY_HISTOGRAM,
    FAMILY_INFO
};

/* Prints the family's samples, if there are any. */
typedef void family_print(struct scrape *s);

struct family {
    const char *name; /* without the _total and _info of samples */
    enum family_type type;
    const char *unit;   /* what the name ends with, or NULL */
    const char *labels; /* "model, version", or "" */
    const char *help;   /* one line */
    family_print *print;
};

/* Ends with a row without a name. */
extern const struct family families[];

/* "counter"; static text. */
const char *family_type_name(enum family_type type);

/* What the names of the type's samples end with: "_total", "_info" or "". */
const char *family_suffix(enum family_type type);

/* of_requests.c: the whole process's requests */
family_print family_requests, family_request_seconds, family_in_flight,
    family_refused, family_bytes_in, family_bytes_out, family_connections,
    family_waiting, family_waiting_cost;

/* of_models.c: each version's */
family_print family_model_info, family_in_service, family_load_failures,
    family_inferences, family_inference_failures, family_inference_seconds,
    family_queue_seconds, family_compute_seconds, family_stage_seconds,
    family_rows, family_batch_rows;

/* of_codes.c: what they looked like */
family_print family_active, family_confidence, family_error, family_groups_on,
    family_watched, family_groups, family_group_rows, family_groups_unused;

/* of_learning.c: fine-tunes and the store */
family_print family_tunes_running, family_tunes, family_tune_epoch,
    family_tune_epochs, family_tune_progress, family_tune_loss,
    family_tune_held_out_loss, family_tune_held_out_error, family_store_up,
    family_store_bytes, family_samples, family_samples_accepted;

/* of_process.c */
family_print family_build_info, family_cpu, family_virtual_memory,
    family_resident_memory, family_open_fds, family_max_fds, family_threads,
    family_start_time;

#endif
