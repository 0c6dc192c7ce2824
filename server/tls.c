/* Tls over GnuTLS 3.7.
 *
 * Easy to get wrong: libmicrohttpd does not notice that a session waits for
 * its client during the handshake, and would ask again at once, for ever; so
 * the session's bytes pass through here, and who polls can tell by `moved`
 * that nothing happens.
 */
#include "server/tls.h"

#include "lib/base/file.h"
#include "lib/base/lock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>

#define MAX_FILE_BYTES ((size_t)1 << 20)

struct tls_set {
    atomic_size_t users;
    gnutls_certificate_credentials_t credentials;
    bool asks_clients;
};

struct tls {
    struct lock lock;
    struct tls_set *set; /* guarded by lock */
};

/* ---- credentials ---- */

static void release(struct tls_set *set)
{
    if (set == NULL || atomic_fetch_sub(&set->users, 1) != 1)
        return;
    if (set->credentials != NULL)
        gnutls_certificate_free_credentials(set->credentials);
    mem_free(set);
}

static enum err_code read_pem(gnutls_datum_t *pem, const char *path,
                              struct err *e)
{
    size_t length;
    char *text = file_read(path, MAX_FILE_BYTES, &length, e);

    *pem = (gnutls_datum_t){.data = (unsigned char *)text,
                            .size = text != NULL ? (unsigned)length : 0};
    return text != NULL ? ERR_OK : e->code;
}

static void forget_pem(gnutls_datum_t *pem)
{
    if (pem->data != NULL)
        gnutls_memset(pem->data, 0, pem->size);
    mem_free(pem->data);
}

static enum err_code set_pair(gnutls_certificate_credentials_t c,
                              const char *cert_path, const char *key_path,
                              struct err *e)
{
    gnutls_datum_t cert = {.data = NULL};
    gnutls_datum_t key = {.data = NULL};

    if (read_pem(&cert, cert_path, e) == ERR_OK &&
        read_pem(&key, key_path, e) == ERR_OK) {
        /* The number of the pair, or an error. */
        int result = gnutls_certificate_set_x509_key_mem2(
            c, &cert, &key, GNUTLS_X509_FMT_PEM, NULL, 0);
        e->code = ERR_OK;
        if (result < 0)
            err_set(e, ERR_INVALID,
                    "%s and %s are not a certificate and its key, as PEM: %s",
                    cert_path, key_path, gnutls_strerror(result));
    }
    forget_pem(&cert);
    forget_pem(&key);
    return e->code;
}

static enum err_code set_trust(gnutls_certificate_credentials_t c,
                               const char *path, struct err *e)
{
    gnutls_datum_t ca;

    if (read_pem(&ca, path, e) != ERR_OK)
        return e->code;
    int n = gnutls_certificate_set_x509_trust_mem(c, &ca, GNUTLS_X509_FMT_PEM);
    forget_pem(&ca);
    if (n <= 0)
        return err_set(e, ERR_INVALID, "%s has no certificate, as PEM", path);
    return ERR_OK;
}

static struct tls_set *make_set(const struct tls_files *files, struct err *e)
{
    struct tls_set *set = mem_array(1, sizeof *set);

    if (set == NULL ||
        gnutls_certificate_allocate_credentials(&set->credentials) != 0) {
        mem_free(set);
        err_set(e, ERR_NO_MEMORY, "no memory for certificates");
        return NULL;
    }
    atomic_init(&set->users, 1);
    set->asks_clients = files->client_ca != NULL;
    if (set_pair(set->credentials, files->cert, files->key, e) == ERR_OK &&
        (!set->asks_clients ||
         set_trust(set->credentials, files->client_ca, e) == ERR_OK))
        return set;
    release(set);
    return NULL;
}

struct tls *tls_new(const struct tls_files *files, struct err *e)
{
    struct tls_set *set = make_set(files, e);
    struct tls *t = set != NULL ? mem_array(1, sizeof *t) : NULL;

    if (t == NULL) {
        if (set != NULL)
            err_set(e, ERR_NO_MEMORY, "no memory for certificates");
        release(set);
        return NULL;
    }
    lock_init(&t->lock);
    t->set = set;
    return t;
}

void tls_free(struct tls *t)
{
    if (t == NULL)
        return;
    release(t->set);
    lock_fini(&t->lock);
    mem_free(t);
}

enum err_code tls_reload(struct tls *t, const struct tls_files *files,
                         struct err *e)
{
    struct tls_set *set = make_set(files, e);

    if (set == NULL)
        return e->code;
    lock_take(&t->lock);
    struct tls_set *old = t->set;
    t->set = set;
    lock_drop(&t->lock);
    release(old);
    return ERR_OK;
}

/* ---- sessions ---- */

static ssize_t note(struct tls_link *link, ssize_t n)
{
    if (n >= 0)
        *link->moved = true;
    return n;
}

static ssize_t pull(gnutls_transport_ptr_t arg, void *bytes, size_t size)
{
    struct tls_link *link = arg;

    return note(link, recv(link->fd, bytes, size, MSG_DONTWAIT));
}

static ssize_t push(gnutls_transport_ptr_t arg, const void *bytes,
                    size_t length)
{
    struct tls_link *link = arg;

    return note(link,
                send(link->fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL));
}

static int pull_timeout(gnutls_transport_ptr_t arg, unsigned ms)
{
    struct tls_link *link = arg;
    struct pollfd fd = {.fd = link->fd, .events = POLLIN};

    return poll(&fd, 1, ms > INT32_MAX ? -1 : (int)ms);
}

/* The client's last word of the handshake has come. */
static int on_finished(gnutls_session_t session, unsigned type, unsigned when,
                       unsigned incoming, const gnutls_datum_t *message)
{
    struct tls_link *link = gnutls_transport_get_ptr(session);

    (void)type;
    (void)when;
    (void)message;
    if (incoming != 0)
        link->opened(link->arg);
    return 0;
}

static void log_client(unsigned status)
{
    gnutls_datum_t text = {.data = NULL};
    char quoted[400];

    gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &text,
                                                 0);
    log_event(LOG_INFO, "tls", "client-refused", "why=%s",
              log_quote(quoted, sizeof quoted,
                        text.data != NULL ? (char *)text.data : "unknown"));
    gnutls_free(text.data);
}

/* Ends the handshake if the client's certificate is not good. */
static int on_client(gnutls_session_t session)
{
    gnutls_typed_vdata_st use = {
        .type = GNUTLS_DT_KEY_PURPOSE_OID,
        .data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT,
    };
    unsigned status = 0;

    if (gnutls_certificate_verify_peers(session, &use, 1, &status) == 0 &&
        status == 0)
        return 0;
    log_client(status);
    return GNUTLS_E_CERTIFICATE_ERROR;
}

bool tls_begin(struct tls *t, void *session, struct tls_link *link)
{
    gnutls_session_t s = session;

    lock_take(&t->lock);
    link->set = t->set;
    atomic_fetch_add(&link->set->users, 1);
    lock_drop(&t->lock);
    gnutls_transport_set_ptr(s, link);
    gnutls_transport_set_pull_function(s, pull);
    gnutls_transport_set_push_function(s, push);
    gnutls_transport_set_pull_timeout_function(s, pull_timeout);
    gnutls_handshake_set_hook_function(s, GNUTLS_HANDSHAKE_FINISHED,
                                       GNUTLS_HOOK_POST, on_finished);
    if (link->set->asks_clients) {
        gnutls_certificate_server_set_request(s, GNUTLS_CERT_REQUIRE);
        gnutls_session_set_verify_function(s, on_client);
    }
    return gnutls_credentials_set(s, GNUTLS_CRD_CERTIFICATE,
                                  link->set->credentials) == 0;
}

void tls_end(struct tls_link *link)
{
    release(link->set);
    link->set = NULL;
}

bool tls_send(void *session, const void *bytes, size_t length)
{
    const char *from = bytes;

    while (length > 0) {
        ssize_t n = gnutls_record_send(session, from, length);
        if (n == GNUTLS_E_INTERRUPTED)
            continue;
        if (n <= 0)
            return false;
        from += n;
        length -= (size_t)n;
    }
    return true;
}

static int give_nothing(gnutls_session_t session,
                        const struct gnutls_cert_retr_st *info,
                        gnutls_pcert_st **certs, unsigned *n,
                        gnutls_ocsp_data_st **ocsp, unsigned *n_ocsp,
                        gnutls_privkey_t *key, unsigned *flags)
{
    (void)session;
    (void)info;
    (void)certs;
    (void)n;
    (void)ocsp;
    (void)n_ocsp;
    (void)key;
    (void)flags;
    return -1;
}

void (*const tls_no_certificate)(void) = (void (*)(void))give_nothing;

/* ---- a client ---- */

struct tls_client {
    gnutls_session_t session;
    gnutls_certificate_credentials_t credentials;
};

static enum err_code shake_hands(struct tls_client *c, int fd, struct err *e)
{
    int result;

    gnutls_transport_set_int(c->session, fd);
    do
        result = gnutls_handshake(c->session);
    while (result < 0 && gnutls_error_is_fatal(result) == 0 &&
           result != GNUTLS_E_AGAIN);
    if (result < 0)
        return err_set(e, ERR_IO, "no TLS: %s", gnutls_strerror(result));
    return ERR_OK;
}

struct tls_client *tls_client_open(int fd, const char *cert, const char *key,
                                   struct err *e)
{
    struct tls_client *c = mem_array(1, sizeof *c);

    if (c == NULL ||
        gnutls_certificate_allocate_credentials(&c->credentials) != 0 ||
        gnutls_init(&c->session, GNUTLS_CLIENT | GNUTLS_NO_SIGNAL) != 0 ||
        gnutls_priority_set_direct(c->session, TLS_PRIORITIES, NULL) != 0 ||
        gnutls_credentials_set(c->session, GNUTLS_CRD_CERTIFICATE,
                               c->credentials) != 0)
        err_set(e, ERR_NO_MEMORY, "no memory for TLS");
    else if ((cert == NULL || key == NULL ||
              set_pair(c->credentials, cert, key, e) == ERR_OK) &&
             shake_hands(c, fd, e) == ERR_OK)
        return c;
    tls_client_close(c);
    return NULL;
}

void tls_client_close(struct tls_client *c)
{
    if (c == NULL)
        return;
    if (c->session != NULL)
        gnutls_deinit(c->session);
    if (c->credentials != NULL)
        gnutls_certificate_free_credentials(c->credentials);
    mem_free(c);
}

ssize_t tls_client_send(struct tls_client *c, const void *bytes, size_t length)
{
    ssize_t n = gnutls_record_send(c->session, bytes, length);

    return n < 0 ? -1 : n;
}

ssize_t tls_client_recv(struct tls_client *c, void *bytes, size_t size)
{
    ssize_t n;

    /* What is no data, as a new key, is dealt with and passed over. */
    do
        n = gnutls_record_recv(c->session, bytes, size);
    while (n == GNUTLS_E_INTERRUPTED || (n < 0 && n != GNUTLS_E_AGAIN &&
                                         gnutls_error_is_fatal((int)n) == 0));
    return n < 0 ? -1 : n;
}

/* ---- hashes and random numbers ---- */

void tls_hash(unsigned char out[TLS_HASH_BYTES], const void *bytes,
              size_t length)
{
    /* Neither can fail but in a broken library, and nothing is safe then. */
    if (gnutls_hash_fast(GNUTLS_DIG_SHA256, bytes, length, out) != 0)
        abort();
}

void tls_random(void *out, size_t length)
{
    if (gnutls_rnd(GNUTLS_RND_KEY, out, length) != 0)
        abort();
}
