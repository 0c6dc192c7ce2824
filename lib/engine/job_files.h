/* Job files: what a job keeps on disk while it runs, DATA/jobs/ID.checkpoint,
 * and DATA/jobs/ID.attempts, which counts the processes that began or resumed
 * it and ended before it got further: so a job that kills its process does not
 * do so for ever.
 */
#ifndef SPARSED_ENGINE_JOB_FILES_H
#define SPARSED_ENGINE_JOB_FILES_H

#include "lib/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JOB_FILES_MAX_ATTEMPTS 10

/* The path of its checkpoint. ERR_TOO_LARGE if it does not fit. */
enum err_code job_files_checkpoint(char *out, size_t size, const char *data_dir,
                                   int64_t job, struct err *e) ERR_CHECKED;

/* Counts an attempt, on disk: *attempt is 1 for the first one, and again after
 * one that has left another checkpoint than it found. Makes the folder. */
enum err_code job_files_begin(const char *data_dir, int64_t job,
                              size_t *attempt, struct err *e) ERR_CHECKED;

/* This process ends of its own will: the attempt does not count. */
void job_files_pause(const char *data_dir, int64_t job);

/* The job has ended. */
void job_files_remove(const char *data_dir, int64_t job);

/* Removes what is left over of jobs that have ended, and of writing. */
void job_files_sweep(const char *data_dir,
                     bool (*has_ended)(void *arg, int64_t job), void *arg);

#endif
