/* Versions of one model, as they are listed.
 */
#ifndef SPARSED_API_VERSIONS_H
#define SPARSED_API_VERSIONS_H

#include "api/call.h"

struct version_list {
    uint64_t *versions; /* in the request's arena, ascending */
    size_t n, room;
    uint64_t in_service;
};

enum err_code versions_collect(struct call *call, const char *name,
                               struct version_list *list, struct err *e)
    ERR_CHECKED;

#endif
