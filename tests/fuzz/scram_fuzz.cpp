// SPDX-License-Identifier: MIT
// links: auth
#include <cstdint>
#include <string>
#include <string_view>

#include "common/auth/scram.hpp"

// A line each for what the other side says: to the server as client-first and client-final, to the client as
// server-first and server-final. A login without knowing the keys would be the find of the year.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    using namespace gk::auth;
    const std::string_view input(reinterpret_cast<const char*>(bytes), size);
    const auto cut = input.find('\n');
    const std::string_view first = input.substr(0, cut),
                           second = cut == std::string_view::npos ? "" : input.substr(cut + 1);

    static const ScramKeys keys = scram_keys("not a salted password");
    for (const bool plus : {false, true}) {
        ScramServer server(plus, true, {"exporter", "end-point"});
        if (!server.client_first(first)) continue;
        (void)server.server_first("salt", 4096, "nonce");
        if (server.client_final(second, {keys})) __builtin_trap();
    }
    // Rounds cost time; the grammar does not need many.
    ScramClient client("user", "password", "", "", "n");
    (void)client.client_first();
    if (first.find("i=4096") != std::string_view::npos) (void)client.client_final(first);
    if (client.check_server_final(second)) __builtin_trap();
    (void)prepare_password(input);
    return 0;
}
