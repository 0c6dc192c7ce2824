/* Families of metrics: the one table of all that /metrics shows. Its rows are
 * told in Prometheus's text and in OpenMetrics, and in docs/monitoring.md.
 */
#ifndef SPARSED_API_METRICS_FAMILY_H
#define SPARSED_API_METRICS_FAMILY_H

struct scrape;

/* INFO: the labels say something, the value is 1. */
enum metric_type {
    METRIC_COUNTER,
    METRIC_GAUGE,
    METRIC_HISTOGRAM,
    METRIC_INFO
};

/* Prints the family's samples, if there are any. */
typedef void metric_print(struct scrape *s);

struct metric_family {
    const char *name; /* without the _total and _info of samples */
    enum metric_type type;
    const char *unit;   /* what the name ends with, or NULL */
    const char *labels; /* "model, version", or "" */
    const char *help;   /* one line */
    metric_print *print;
};

/* Ends with a row without a name. */
extern const struct metric_family metric_families[];

/* "counter"; static text. */
const char *metric_type_name(enum metric_type type);

/* What the names of the type's samples end with: "_total", "_info" or "". */
const char *metric_suffix(enum metric_type type);

/* of_requests.c: the whole process's requests */
metric_print metric_requests, metric_request_seconds, metric_in_flight,
    metric_refused, metric_bytes_in, metric_bytes_out, metric_connections,
    metric_waiting, metric_waiting_cost;

/* of_models.c: each version's */
metric_print metric_model_info, metric_in_service, metric_load_failures,
    metric_inferences, metric_inference_failures, metric_inference_seconds,
    metric_queue_seconds, metric_compute_seconds, metric_stage_seconds,
    metric_rows, metric_batch_rows;

/* of_codes.c: what they looked like */
metric_print metric_active, metric_confidence, metric_error, metric_groups_on,
    metric_watched, metric_groups, metric_group_rows, metric_groups_unused;

/* of_learning.c: fine-tunes and the store */
metric_print metric_tunes_running, metric_tunes, metric_tune_epoch,
    metric_tune_epochs, metric_tune_progress, metric_tune_loss,
    metric_tune_held_out_loss, metric_tune_held_out_error, metric_store_up,
    metric_store_bytes, metric_samples, metric_samples_accepted;

/* of_process.c */
metric_print metric_build_info, metric_cpu, metric_virtual_memory,
    metric_resident_memory, metric_open_fds, metric_max_fds, metric_threads,
    metric_start_time;

#endif
