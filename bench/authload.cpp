// SPDX-License-Identifier: MIT
// What `bench/auth` measures of gk itself, in its own CPU seconds:
//   authload speed SECONDS                    operations a second, a line each: "NAME RATE"
//   authload sign KEYFILE SELECTOR DOMAIN FOLDER FILE...   FOLDER/NAME is FILE with a signature in front
//   authload rounds KEYS FILE...              for each line of stdin verifies all: "PASSED CPU-SECONDS"
//   authload inbound KEYS FILE COUNT          SPF, DKIM, ARC, DMARC and iprev on one message: CPU milliseconds for each
#include <cstdio>
#include <ctime>

#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/base/time.hpp"
#include "common/mailauth/dkim/key_record.hpp"
#include "common/mailauth/dkim/sign.hpp"
#include "common/mailauth/dkim/verify.hpp"
#include "common/mailauth/dns_table.hpp"
#include "common/mailauth/gate/check.hpp"
#include "common/os/file.hpp"

namespace {

using namespace gk;
using namespace gk::mailauth;

double cpu_seconds() {
    timespec t{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

template <class T>
T must(Result<T> result) {
    if (result) return std::move(*result);
    fmt::print(stderr, "authload: {}\n", result.error().text);
    std::exit(1);
}

std::string read(const char* path) { return must(os::read_file(path)); }

// How often WORK runs a CPU second, times SCALE.
template <class Work>
void measure(const char* name, double seconds, double scale, Work work) {
    work();
    long done = 0;
    const double begun = cpu_seconds();
    double used = 0;
    do {
        for (int i = 0; i < 16; ++i) work();
        done += 16;
        used = cpu_seconds() - begun;
    } while (used < seconds);
    fmt::print("{} {:.1f}\n", name, static_cast<double>(done) / used * scale);
}

std::string made_message(std::size_t size) {
    std::string m =
        "From: Ann <ann@a.test>\r\nTo: bob@b.test\r\nSubject: figures of the week\r\nDate: Sun, 22 Nov 2026 09:30:37 "
        "+0000\r\nMessage-ID: <1@a.test>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n";
    for (int line = 0; m.size() < size; ++line)
        m += fmt::format("{:05} lines of text as people write it, seventy characters or so in each.\r\n", line);
    return m;
}

std::string signature_fields(const std::string& message, const PrivateKey& key, const std::string& selector,
                             const std::string& domain, Canon canon = Canon::Relaxed) {
    dkim::SignOptions options;
    options.timestamp_s = to_unix_s(now());
    options.header_canon = options.body_canon = canon;
    dkim::Signer signer(options);
    signer.feed(message);
    return must(signer.finish(
        {{domain, selector, "", key.algorithm(), [&key](std::string_view digest) { return key.sign(digest); }}}));
}

int speed(double seconds) {
    const std::string digest(32, 'd');
    const std::string message = made_message(10 * 1024), large = made_message(1 << 20);
    for (const auto algorithm : {Algorithm::RsaSha256, Algorithm::Ed25519Sha256}) {
        const std::string name(key_type_name(algorithm));
        const auto key = must(PrivateKey::generate(algorithm));
        const auto open = must(PublicKey::load(algorithm, key.public_octets()));
        const std::string signature = must(key.sign(digest));
        bool good = true;
        measure((name + "-sign").c_str(), seconds, 1, [&] { good &= key.sign(digest).has_value(); });
        measure((name + "-verify").c_str(), seconds, 1, [&] { good &= open.verifies(digest, signature); });
        measure((name + "-message-sign").c_str(), seconds, 1,
                [&] { good &= !signature_fields(message, key, "s", "a.test").empty(); });
        DnsTable dns;
        dns.add("s._domainkey.a.test", "TXT", dkim::format_key_record(key));
        const std::string whole = signature_fields(message, key, "s", "a.test") + message;
        measure((name + "-message-verify").c_str(), seconds, 1, [&] {
            dkim::Verifier verifier(to_unix_s(now()));
            verifier.feed(whole);
            good &= verifier.finish(dns).at(0).verdict == dkim::Verdict::Pass;
        });
        if (!good) return 1;
    }
    const double megabytes = static_cast<double>(large.size()) / 1e6;
    measure("sha256", seconds, megabytes, [&] {
        Sha256 hash;
        hash.update(large);
        (void)hash.digest();
    });
    for (const auto canon : {Canon::Simple, Canon::Relaxed})
        measure(fmt::format("body-{}", canon_name(canon)).c_str(), seconds, megabytes, [&] {
            BodyHashes hashes;
            hashes.add(canon);
            hashes.feed(large);
            hashes.finish();
        });
    return 0;
}

int sign(int argc, char** argv) {
    const auto key = must(PrivateKey::from_pem(read(argv[2])));
    for (int i = 6; i < argc; ++i) {
        const std::string message = read(argv[i]), path = argv[i];
        const std::string out = std::string(argv[5]) + path.substr(path.rfind('/'));
        auto file = must(os::NewFile::create(out));
        if (!file.write(signature_fields(message, key, argv[3], argv[4]) + message) || !file.close()) return 1;
    }
    return 0;
}

int rounds(int argc, char** argv) {
    auto dns = must(DnsTable::parse(read(argv[2])));
    std::vector<std::string> messages;
    for (int i = 3; i < argc; ++i) messages.push_back(read(argv[i]));
    char line[64];
    while (std::fgets(line, sizeof line, stdin)) {
        int good = 0;
        const double before = cpu_seconds();
        for (const auto& message : messages) {
            dkim::Verifier verifier(to_unix_s(now()));
            verifier.feed(message);
            bool all = true, any = false;
            for (const auto& each : verifier.finish(dns)) {
                any = true;
                all &= each.verdict == dkim::Verdict::Pass;
            }
            good += all && any;
        }
        fmt::print("{} {:.6f}\n", good, cpu_seconds() - before);
        std::fflush(stdout);
    }
    return 0;
}

int inbound(int argc, char** argv) {
    if (argc < 5) return 64;
    auto dns = must(DnsTable::parse(read(argv[2])));
    const std::string message = read(argv[3]);
    const auto count = static_cast<int>(text::to_uint(argv[4]).value_or(0));
    const auto options = must(gate::Options::from(must(config::Config::parse(""))));
    gate::Facts facts;
    facts.ip = *Ip::parse("192.0.2.1");
    facts.helo = "mx.a.test";
    facts.mail_from = "ann@a.test";
    facts.receiver = "mx.b.test";
    facts.now_s = to_unix_s(now());
    const auto run = [&] {
        gate::Check check(*options, facts, dns);
        for (std::size_t at = 0; at < message.size(); at += 4096)
            check.feed(std::string_view(message).substr(at, 4096));
        return check.finish();
    };
    const auto findings = run();
    fmt::print(stderr, "spf={} dkim={} dmarc={} lookups={} octets={}\n", spf::verdict_name(findings.mail_from.verdict),
               findings.dkim.empty() ? "none" : dkim::verdict_name(findings.dkim[0].verdict),
               dmarc::verdict_name(findings.dmarc.verdict), findings.lookups, message.size());
    const double before = cpu_seconds();
    for (int i = 0; i < count; ++i) (void)run();
    fmt::print("{:.4f}\n", (cpu_seconds() - before) * 1000 / count);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    const std::string_view what = argc > 1 ? argv[1] : "";
    if (what == "speed" && argc == 3) return speed(std::strtod(argv[2], nullptr));
    if (what == "sign" && argc > 6) return sign(argc, argv);
    if (what == "rounds" && argc > 3) return rounds(argc, argv);
    if (what == "inbound") return inbound(argc, argv);
    std::fputs("usage: authload speed | sign | rounds | inbound …\n", stderr);
    return 64;
}
