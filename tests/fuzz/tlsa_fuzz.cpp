// SPDX-License-Identifier: MIT
// links: dns tls tlspolicy
#include <unistd.h>
#include <cstdlib>

#include "common/os/file.hpp"
#include "common/tls/certificate.hpp"
#include "common/tlspolicy/dane.hpp"

namespace {

// A server's certificate that no mutation matches.
struct Server {
    std::shared_ptr<gk::tls::ClientContext> context = gk::tls::ClientContext::create({}).value();
    std::vector<std::string> chain;
    Server() {
        char name[] = "/tmp/gk-fuzz-tlsa-XXXXXX";
        const std::string dir = ::mkdtemp(name);
        if (!gk::tls::make_self_signed("mx.a.test", {}, dir + "/c", dir + "/k")) std::abort();
        chain = gk::tls::read_chain(dir + "/c").value();
        (void)gk::os::remove_tree(dir);
    }
};

}  // namespace

// RDATA, through all that a handshake does with it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace gk;
    static const Server server;
    const auto record = dns::parse_tlsa({reinterpret_cast<const char*>(data), size});
    if (!record) return 0;
    tls::Peer peer("mx.a.test");
    peer.tlsa = {{record->usage, record->selector, record->matching, record->data}};
    const auto verdict = tls::verify_chain(*server.context, server.chain, peer);
    if (verdict && verdict->trust == tls::Trust::Ok) std::abort();
    // What we call unusable OpenSSL must not use either.
    if (!tlspolicy::is_usable(*record) && verdict) std::abort();
    (void)tls::format_tlsa(peer.tlsa.front());
    return 0;
}
