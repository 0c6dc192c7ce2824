/* The table: what is told, in what order, and what it means. */
#include "api/metrics/family.h"

#include <stddef.h>

#define COUNTER(name, unit, labels, print, help)                               \
    {                                                                          \
        name, METRIC_COUNTER, unit, labels, help, print                        \
    }
#define GAUGE(name, unit, labels, print, help)                                 \
    {                                                                          \
        name, METRIC_GAUGE, unit, labels, help, print                          \
    }
#define HISTOGRAM(name, unit, labels, print, help)                             \
    {                                                                          \
        name, METRIC_HISTOGRAM, unit, labels, help, print                      \
    }
#define INFO(name, labels, print, help)                                        \
    {                                                                          \
        name, METRIC_INFO, NULL, labels, help, print                           \
    }

#define VERSION "model, version"
#define VERSION_ROUTE "model, version, route"

const struct metric_family metric_families[] = {
    INFO("sparsed_build", "version, blas", metric_build_info,
         "The program and the library behind its dense products."),

    COUNTER("sparsed_http_requests", NULL, "method, route, code",
            metric_requests,
            "Requests by route and status; 499 is a client that left, an empty "
            "route none of the table."),
    HISTOGRAM("sparsed_http_request_duration_seconds", "seconds",
              "method, route", metric_request_seconds,
              "From a request's headers to the end of its reply."),
    GAUGE("sparsed_http_requests_in_flight", NULL, "", metric_in_flight,
          "Requests whose reply has not left."),
    COUNTER("sparsed_http_request_bytes", "bytes", "", metric_bytes_in,
            "Bodies received, as they were sent."),
    COUNTER("sparsed_http_response_bytes", "bytes", "", metric_bytes_out,
            "Bodies of replies that were sent."),
    GAUGE("sparsed_connections", NULL, "", metric_connections,
          "Open connections."),
    COUNTER("sparsed_refused", NULL, "reason", metric_refused,
            "Requests that the server itself turned away."),
    GAUGE("sparsed_queue_requests", NULL, "", metric_waiting,
          "Slow requests that wait for their turn."),
    GAUGE("sparsed_queue_work_seconds", "seconds", "", metric_waiting_cost,
          "What the waiting requests will take, estimated."),

    INFO("sparsed_model", VERSION, metric_model_info,
         "Versions that are loaded."),
    GAUGE("sparsed_model_in_service", NULL, VERSION, metric_in_service,
          "1 for the version that answers where none is named, else 0."),
    GAUGE("sparsed_models_failed", NULL, "", metric_load_failures,
          "Versions that could not be loaded; /readyz says why."),
    COUNTER("sparsed_inference_requests", NULL, VERSION, metric_inferences,
            "Requests that ran the version, or tried to."),
    COUNTER("sparsed_inference_failures", NULL, VERSION,
            metric_inference_failures, "Those of them that gave an error."),
    HISTOGRAM("sparsed_inference_duration_seconds", "seconds", VERSION_ROUTE,
              metric_inference_seconds,
              "From the headers to the printed reply, of good requests."),
    HISTOGRAM("sparsed_inference_queue_seconds", "seconds", VERSION_ROUTE,
              metric_queue_seconds,
              "Waiting for a thread; 0 for quick requests, which do not."),
    HISTOGRAM("sparsed_inference_compute_seconds", "seconds", VERSION_ROUTE,
              metric_compute_seconds, "In the model."),
    COUNTER("sparsed_inference_stage_seconds", "seconds",
            "model, version, stage", metric_stage_seconds,
            "Time of good requests by stage: queue, parse, compute, print."),
    COUNTER("sparsed_inference_rows", NULL, VERSION, metric_rows,
            "Inputs, or codes to decode, of good requests."),
    HISTOGRAM("sparsed_inference_batch_rows", NULL, VERSION, metric_batch_rows,
              "Inputs in one request."),

    HISTOGRAM("sparsed_active_units_ratio", "ratio", VERSION, metric_active,
              "Share of the top layer's units that are on, of every input."),
    HISTOGRAM("sparsed_confidence_ratio", "ratio", VERSION, metric_confidence,
              "Largest class probability, of every input that was "
              "classified."),
    HISTOGRAM("sparsed_reconstruction_error_ratio", "ratio", VERSION,
              metric_error,
              "Error of reconstruction over the input's size, of watched "
              "inputs and of those whose reconstruction was asked for."),
    COUNTER("sparsed_watched_rows", NULL, VERSION, metric_watched,
            "Inputs that were watched: the first of each --watch-every-th "
            "request."),
    HISTOGRAM("sparsed_groups_on_ratio", "ratio", VERSION, metric_groups_on,
              "Share of groups that are on, of watched inputs."),
    GAUGE("sparsed_groups", NULL, VERSION, metric_groups,
          "Groups of the top layer; without a group structure its units."),
    GAUGE("sparsed_groups_unused", NULL, VERSION, metric_groups_unused,
          "Groups that were on in no watched input."),
    COUNTER("sparsed_group_rows", NULL, "model, version, group",
            metric_group_rows,
            "Watched inputs in which the group was on; models of at most 128 "
            "groups."),

    GAUGE("sparsed_fine_tunes_running", NULL, "", metric_tunes_running,
          "1 while a fine-tune is under way, else 0."),
    COUNTER("sparsed_fine_tunes", NULL, "state", metric_tunes,
            "Fine-tunes that ended: succeeded, failed, cancelled."),
    GAUGE("sparsed_fine_tune_epoch", NULL, "model", metric_tune_epoch,
          "Epoch under way, from 1."),
    GAUGE("sparsed_fine_tune_epochs", NULL, "model", metric_tune_epochs,
          "Epochs that there will be at most."),
    GAUGE("sparsed_fine_tune_progress_ratio", "ratio", "model",
          metric_tune_progress, "Share of those epochs that is done."),
    GAUGE("sparsed_fine_tune_loss", NULL, "model", metric_tune_loss,
          "Mean loss of the epoch so far."),
    GAUGE("sparsed_fine_tune_held_out_loss", NULL, "model",
          metric_tune_held_out_loss,
          "Mean loss on held-out samples after the last epoch, where there is "
          "no classifier."),
    GAUGE("sparsed_fine_tune_held_out_error_ratio", "ratio", "model",
          metric_tune_held_out_error,
          "Share of held-out samples in the wrong class after the last "
          "epoch."),
    GAUGE("sparsed_samples", NULL, "model", metric_samples, "Samples stored."),
    COUNTER("sparsed_samples_accepted", NULL, "model", metric_samples_accepted,
            "Samples ever accepted, also by earlier processes."),
    GAUGE("sparsed_store_up", NULL, "", metric_store_up,
          "1 if the last write to the store reached the disk, 0 in trouble."),
    GAUGE("sparsed_store_bytes", "bytes", "", metric_store_bytes,
          "What the store takes on disk."),

    COUNTER("process_cpu_seconds", "seconds", "", metric_cpu,
            "Processor time of all threads, user and system."),
    GAUGE("process_resident_memory_bytes", "bytes", "", metric_resident_memory,
          "Memory in use."),
    GAUGE("process_virtual_memory_bytes", "bytes", "", metric_virtual_memory,
          "Address space."),
    GAUGE("process_open_fds", NULL, "", metric_open_fds,
          "Open file descriptors."),
    GAUGE("process_max_fds", NULL, "", metric_max_fds,
          "File descriptors that may be open."),
    GAUGE("process_threads", NULL, "", metric_threads, "Threads."),
    GAUGE("process_start_time_seconds", "seconds", "", metric_start_time,
          "When the process was started, since 1970."),
    {NULL, METRIC_GAUGE, NULL, NULL, NULL, NULL},
};
