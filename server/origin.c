/* Origin: the rules. What cannot be understood is another site. */
#include "server/origin.h"

#include "api/cors.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Of a name with its port; longer ones are nobody's. */
#define AUTHORITY_BYTES 300

static bool is_write(const char *method)
{
    return strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0 &&
           strcmp(method, "OPTIONS") != 0;
}

/* "host:port" without the port, "[::1]:80" without brackets too. */
static bool copy_name(char *out, size_t size, const char *host)
{
    bool bracket = host[0] == '[';
    size_t length = bracket ? strcspn(++host, "]") : strcspn(host, ":");

    if (length >= size)
        return false;
    memcpy(out, host, length);
    out[length] = 0;
    return true;
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), n = strlen(end);

    return length >= n && strcasecmp(text + length - n, end) == 0;
}

static bool is_loopback(const char *host)
{
    char name[AUTHORITY_BYTES];
    struct in_addr in;

    if (!copy_name(name, sizeof name, host))
        return false;
    if (inet_pton(AF_INET, name, &in) == 1)
        return ntohl(in.s_addr) >> 24 == 127;
    return strcasecmp(name, "localhost") == 0 ||
           ends_with(name, ".localhost") || strcmp(name, "::1") == 0;
}

/* Whether pages of this host are listed: a proxy's, that hands its own Host
 * on. */
static bool is_listed_host(struct cors *cors, const char *host)
{
    char origin[AUTHORITY_BYTES];

    snprintf(origin, sizeof origin, "https://%s", host);
    if (cors_allows(cors, origin))
        return true;
    snprintf(origin, sizeof origin, "http://%s", host);
    return cors_allows(cors, origin);
}

/* The scheme is left out: a proxy may take TLS off. */
static bool is_same(const char *origin, const char *host)
{
    const char *authority = strstr(origin, "://");

    return authority != NULL && host != NULL &&
           strcasecmp(authority + 3, host) == 0;
}

static bool is_other_site(const struct origin *o)
{
    if (o->origin != NULL && !is_same(o->origin, o->host))
        return true;
    return o->fetch_site != NULL && strcasecmp(o->fetch_site, "none") != 0 &&
           strcasecmp(o->fetch_site, "same-origin") != 0;
}

const char *origin_refuse(const struct origin *o)
{
    if (o->origin == NULL && o->fetch_site == NULL)
        return NULL;
    if (o->origin != NULL && cors_allows(o->cors, o->origin))
        return NULL;
    if (o->loopback && (o->host == NULL || (!is_loopback(o->host) &&
                                            !is_listed_host(o->cors, o->host))))
        return "the name in Host is not this machine's own: ask localhost, or "
               "list the site in --cors-origins";
    if (is_write(o->method) && is_other_site(o))
        return "pages of other sites may not do this: list the site in "
               "--cors-origins if they may";
    return NULL;
}
