/* SPDX-License-Identifier: MIT */
/* OpenDKIM's library behind a command line, for tests and benchmarks:
 *   opendkim_peer verify KEYS FILE...                 a line a message: "VERDICT SELECTOR;..."
 *   opendkim_peer sign rsa|ed25519 HEADER BODY DOMAIN SELECTOR KEYFILE LENGTH TIME TTL FOLDER FILE...
 *                                                     FOLDER/NAME is FILE with a signature in front
 *   opendkim_peer rounds KEYS FILE...                 for each line of stdin verifies all: "PASSED CPU-SECONDS"
 * KEYS has lines "NAME TXT RECORD"; messages have CRLF line ends. LENGTH -1: no l=; TIME 0: now; TTL 0: no x=. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/types.h>
#include <time.h>

#include <opendkim/dkim.h>

struct key {
    char *name, *record;
};
struct message {
    char* bytes;
    size_t size;
};
static struct key keys[4096];
static size_t key_count;

static void die(const char* what, const char* which) {
    fprintf(stderr, "opendkim_peer: %s %s\n", what, which);
    exit(1);
}

static struct message read_whole(const char* path) {
    struct message m = {NULL, 0};
    FILE* file = fopen(path, "rb");
    if (!file) die("cannot open", path);
    fseek(file, 0, SEEK_END);
    m.size = (size_t)ftell(file);
    rewind(file);
    m.bytes = malloc(m.size + 1);
    if (fread(m.bytes, 1, m.size, file) != m.size) die("cannot read", path);
    m.bytes[m.size] = '\0';
    fclose(file);
    return m;
}

static void read_keys(const char* path) {
    char* text = read_whole(path).bytes;
    for (char* line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        char* type = strstr(line, " TXT ");
        if (!type || key_count == sizeof keys / sizeof *keys) continue;
        *type = '\0';
        keys[key_count++] = (struct key){line, type + 5};
    }
}

static DKIM_CBSTAT look_up(DKIM* dkim, DKIM_SIGINFO* sig, unsigned char* buf, size_t size) {
    char name[512];
    (void)dkim;
    snprintf(name, sizeof name, "%s._domainkey.%s", dkim_sig_getselector(sig), dkim_sig_getdomain(sig));
    for (size_t i = 0; i < key_count; ++i)
        if (strcasecmp(keys[i].name, name) == 0) {
            snprintf((char*)buf, size, "%s", keys[i].record);
            return DKIM_CBSTAT_CONTINUE;
        }
    return DKIM_CBSTAT_NOTFOUND;
}

static bool passed(DKIM_SIGINFO* sig) {
    return (dkim_sig_getflags(sig) & DKIM_SIGFLAG_PASSED) && dkim_sig_getbh(sig) == DKIM_SIGBH_MATCH;
}

/* Whether every signature passes, and there is one. */
static bool verify(DKIM_LIB* lib, struct message m, bool talk) {
    DKIM_STAT status;
    DKIM* dkim = dkim_verify(lib, (const unsigned char*)"x", NULL, &status);
    DKIM_SIGINFO** sigs = NULL;
    int count = 0;
    bool all = true;
    if (!dkim) die("cannot verify", "");
    if (dkim_chunk(dkim, (unsigned char*)m.bytes, m.size) == DKIM_STAT_OK && dkim_chunk(dkim, NULL, 0) == DKIM_STAT_OK)
        (void)dkim_eom(dkim, NULL);
    if (dkim_getsiglist(dkim, &sigs, &count) != DKIM_STAT_OK) count = 0;
    for (int i = 0; i < count; ++i) {
        if (!(dkim_sig_getflags(sigs[i]) & DKIM_SIGFLAG_PROCESSED)) (void)dkim_sig_process(dkim, sigs[i]);
        all &= passed(sigs[i]);
        if (talk)
            printf("%s %s%s", passed(sigs[i]) ? "pass" : "fail", (const char*)dkim_sig_getselector(sigs[i]),
                   i + 1 < count ? ";" : "");
    }
    if (talk) printf("\n");
    dkim_free(dkim);
    return all && count > 0;
}

static dkim_canon_t canon(const char* name) {
    return strcmp(name, "simple") == 0 ? DKIM_CANON_SIMPLE : DKIM_CANON_RELAXED;
}

static void sign(DKIM_LIB* lib, char** a, const char* key, const char* path) {
    DKIM_STAT status;
    struct message m = read_whole(path);
    const char* base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    const dkim_alg_t algorithm = strcmp(a[0], "rsa") == 0 ? DKIM_SIGN_RSASHA256 : DKIM_SIGN_ED25519SHA256;
    DKIM* dkim = dkim_sign(lib, (const unsigned char*)"x", NULL, (dkim_sigkey_t)key, (unsigned char*)a[4],
                           (unsigned char*)a[3], canon(a[1]), canon(a[2]), algorithm, atol(a[6]), &status);
    unsigned char* header = NULL;
    size_t size = 0;
    char out[4096];
    if (!dkim) die("cannot sign", dkim_getresultstr(status));
    if (dkim_chunk(dkim, (unsigned char*)m.bytes, m.size) == DKIM_STAT_OK &&
        dkim_chunk(dkim, NULL, 0) == DKIM_STAT_OK && dkim_eom(dkim, NULL) == DKIM_STAT_OK &&
        dkim_getsighdr_d(dkim, 16, &header, &size) == DKIM_STAT_OK) {
        snprintf(out, sizeof out, "%s/%s", a[9], base);
        FILE* file = fopen(out, "wb");
        if (!file) die("cannot write", out);
        fprintf(file, "DKIM-Signature: ");
        for (size_t i = 0; i < size; ++i) {
            if (header[i] == '\n' && (i == 0 || header[i - 1] != '\r')) fputc('\r', file);
            fputc(header[i], file);
        }
        fprintf(file, "\r\n");
        fwrite(m.bytes, 1, m.size, file);
        fclose(file);
    } else {
        fprintf(stderr, "opendkim_peer: %s is not signed\n", path);
    }
    dkim_free(dkim);
    free(m.bytes);
}

static double cpu_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char** argv) {
    DKIM_LIB* lib = dkim_init(NULL, NULL);
    if (!lib || argc < 4) die("usage:", "verify | sign | rounds …");
    if (strcmp(argv[1], "sign") == 0) {
        if (argc < 13) die("usage:", "sign …");
        char** a = argv + 2;
        uint64_t when = strtoull(a[7], NULL, 10), ttl = strtoull(a[8], NULL, 10);
        const char* oversigned[] = {"from", NULL};
        (void)dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_OVERSIGNHDRS, oversigned, sizeof oversigned);
        if (when) (void)dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_FIXEDTIME, &when, sizeof when);
        if (ttl) (void)dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_SIGNATURETTL, &ttl, sizeof ttl);
        struct message key = read_whole(a[5]);
        for (int i = 12; i < argc; ++i) sign(lib, a, key.bytes, argv[i]);
        return 0;
    }
    read_keys(argv[2]);
    (void)dkim_set_key_lookup(lib, look_up);
    if (strcmp(argv[1], "verify") == 0) {
        for (int i = 3; i < argc; ++i) {
            struct message m = read_whole(argv[i]);
            (void)verify(lib, m, true);
            free(m.bytes);
        }
        return 0;
    }
    const int count = argc - 3;
    struct message* all = malloc((size_t)count * sizeof *all);
    for (int i = 0; i < count; ++i) all[i] = read_whole(argv[i + 3]);
    char line[64];
    while (fgets(line, sizeof line, stdin)) {
        int good = 0;
        const double before = cpu_seconds();
        for (int i = 0; i < count; ++i) good += verify(lib, all[i], false);
        printf("%d %.6f\n", good, cpu_seconds() - before);
        fflush(stdout);
    }
    return 0;
}
