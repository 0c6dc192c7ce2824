/* Reading: a request of the Open Inference Protocol read as its handler reads
 * it, for tests of what becomes of it.
 */
#ifndef SPARSED_TESTS_READING_H
#define SPARSED_TESTS_READING_H

#include "api/oip/request.h"
#include "tests/api/client.h"

#define TENSOR(datatype, shape, rest)                                          \
    "{\"inputs\":[{\"name\":\"input\",\"datatype\":\"" datatype                \
    "\",\"shape\":" shape "," rest "}]}"
#define BINARY(n) "\"parameters\":{\"binary_data_size\":" #n "}"

/* What the last request became. */
extern struct reading {
    struct client client;
    struct run run;
    struct call call;
    struct oip_request request;
    struct err e;
    char *body;
} reading;

/* Fixture: with the client's model "bare", vectors of 6. */
void reading_setup(void);
void reading_teardown(void);

/* Another model. */
void reading_model(const char *name);

/* Reads an exact copy, so that reading on is seen by the sanitizers. header:
 * NULL for none. */
enum err_code reading_body(const void *bytes, size_t length,
                           const char *header);
enum err_code reading_text(const char *text);

/* JSON with these bytes behind it. */
enum err_code reading_parcel(const char *json, const void *bytes, size_t n);

/* code: what it must not be taken with; words of the message. */
#define said(code, words)                                                      \
    reading_check_said(__FILE__, __LINE__, (code), (words))
void reading_check_said(const char *file, int line, enum err_code code,
                        const char *words);

/* The rows must be these B. */
void reading_rows(const float *want, size_t B);

#endif
