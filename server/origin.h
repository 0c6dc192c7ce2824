/* Origin: what a browser says of the page that makes a request.
 *
 * A page of another site can make a browser send us requests, and a name that
 * its owner suddenly points at this machine (DNS rebinding) makes them look
 * like our own. Browsers tell: by Origin and by Sec-Fetch-Site (Fetch
 * Metadata), which no page can set, and by Host. Other programs send neither of
 * the first two, and are let alone.
 */
#ifndef SPARSED_SERVER_ORIGIN_H
#define SPARSED_SERVER_ORIGIN_H

#include <stdbool.h>

struct cors;

struct origin {
    const char *method; /* never NULL */
    const char *origin; /* headers, or NULL */
    const char *host;
    const char *fetch_site;
    bool loopback;     /* what we listen on */
    struct cors *cors; /* whose pages may ask all the same, or NULL */
};

/* Why the request is refused, with the remedy; NULL: it is not. */
const char *origin_refuse(const struct origin *o);

#endif
