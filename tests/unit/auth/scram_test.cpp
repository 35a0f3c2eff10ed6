// SPDX-License-Identifier: MIT
#include "common/auth/scram.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/auth/sasl_client.hpp"
#include "common/auth/scram_text.hpp"
#include "common/base/text.hpp"

namespace gk::auth {
namespace {

using testing::HasSubstr;

// RFC 7677, 3
constexpr const char* kClientFirst = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
constexpr const char* kServerNonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
constexpr const char* kSalt = "W22ZaJ0SNY7soEsUEjb6gQ==";
constexpr const char* kServerFirst =
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
constexpr const char* kClientFinal =
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
constexpr const char* kServerFinal = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

ScramKeys keys_of(std::string_view password, std::string_view salt = "salt-salt-salt!!", int iterations = 4096) {
    return scram_keys(salted_password(password, salt, iterations));
}

TEST(ScramServer, AgreesWithTheExampleOfRfc7677) {
    const std::string salt = *text::from_base64(kSalt);
    ScramServer server(false, false, {});
    EXPECT_EQ(server.client_first(kClientFirst).value(), "user");
    EXPECT_EQ(server.server_first(salt, 4096, kServerNonce), kServerFirst);
    const auto verdict = server.client_final(kClientFinal, {keys_of("pencil", salt)});
    ASSERT_TRUE(verdict) << verdict.error().text;
    EXPECT_EQ(verdict->server_final, kServerFinal);
}

TEST(ScramClient, AgreesWithTheExampleOfRfc7677) {
    ScramClient client("user", "pencil", "", "", "rOprNGfwEbeRWgbNEkqO");
    EXPECT_EQ(client.client_first().value(), kClientFirst);
    EXPECT_EQ(client.client_final(kServerFirst).value(), kClientFinal);
    EXPECT_TRUE(client.check_server_final(kServerFinal));
    EXPECT_FALSE(client.check_server_final("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5="));
    EXPECT_EQ(client.check_server_final("e=invalid-proof").error().code, Errc::Denied);
}

struct Dialogue {
    bool plus = false, offered = false;
    ChannelBinding binding;
    std::string client_type = {}, client_binding = {}, password = "pencil";
    std::vector<ScramKeys> candidates = {keys_of("pencil")};

    std::string run() const {
        ScramServer server(plus, offered, binding);
        ScramClient client("us,er=", password, client_type, client_binding);
        const auto first = server.client_first(client.client_first().value());
        if (!first) return first.error().text;
        EXPECT_EQ(*first, "us,er=");
        const auto final = client.client_final(server.server_first("salt-salt-salt!!", 4096));
        if (!final) return final.error().text;
        const auto verdict = server.client_final(*final, candidates);
        if (!verdict) return verdict.error().text;
        EXPECT_TRUE(client.check_server_final(verdict->server_final));
        return "ok " + std::to_string(verdict->which);
    }
};

TEST(ScramServer, FindsWhichOfSeveralPasswordsFits) {
    Dialogue dialogue;
    dialogue.candidates = {keys_of("main"), keys_of("pencil"), keys_of("other")};
    EXPECT_EQ(dialogue.run(), "ok 1");
    dialogue.password = "wrong";
    EXPECT_EQ(dialogue.run(), "wrong password");
}

TEST(ScramServer, BindsToBothKindsOfChannel) {
    Dialogue dialogue{.plus = true, .offered = true, .binding = {"exporter-bytes", "end-point-bytes"}};
    dialogue.client_type = "tls-exporter";
    dialogue.client_binding = "exporter-bytes";
    EXPECT_EQ(dialogue.run(), "ok 0");
    dialogue.client_type = "tls-server-end-point";
    EXPECT_EQ(dialogue.run(), "channel binding does not match");
    dialogue.client_binding = "end-point-bytes";
    EXPECT_EQ(dialogue.run(), "ok 0");
    dialogue.client_binding = "bytes of somebody between";
    EXPECT_EQ(dialogue.run(), "channel binding does not match");
    dialogue.client_type = "tls-unique";
    EXPECT_EQ(dialogue.run(), "channel binding 'tls-unique' is not there");
}

TEST(ScramServer, RefusesADowngradedBinding) {
    ScramServer offered(false, true, {"x", "y"});
    EXPECT_THAT(offered.client_first("y,,n=u,r=abc").error().text, HasSubstr("downgraded"));
    ScramServer not_offered(false, false, {});
    EXPECT_TRUE(not_offered.client_first("y,,n=u,r=abc"));
    ScramServer unable_client(false, true, {"x", "y"});
    EXPECT_TRUE(unable_client.client_first("n,,n=u,r=abc"));
    ScramServer plus(true, true, {"x", "y"});
    EXPECT_FALSE(plus.client_first("n,,n=u,r=abc"));
    ScramServer plain(false, true, {"x", "y"});
    EXPECT_FALSE(plain.client_first("p=tls-exporter,,n=u,r=abc"));
}

TEST(ScramServer, RefusesMalformedMessages) {
    for (const char* bad :
         {"", "n", "n,", "n,,", "n,,n=", "n,,n=u", "n,,n=u,r=", "n,,n=u,r=a b", "x,,n=u,r=a", "n,,m=x,n=u,r=a",
          "n,a=,n=u,r=a", "n,a=u", "n,,n=u=2,r=a", "n,,n=u=20,r=a", "n,,n=\xff,r=a", "p=tls-exporter", "n,,r=a,n=u"}) {
        ScramServer server(false, false, {});
        EXPECT_FALSE(server.client_first(bad)) << bad;
    }
    ScramServer acting(false, false, {});
    EXPECT_EQ(acting.client_first("n,a=other,n=u,r=a").error().code, Errc::Denied);
    ScramServer server(false, false, {});
    EXPECT_FALSE(server.client_final("c=biws,r=a,p=AAAA", {}));  // out of order
    EXPECT_TRUE(server.client_first("n,a=u,n=u,r=a"));
    server.server_first("salt", 4096, "b");
    const std::string proof = text::to_base64(std::string(32, 'x'));
    const std::vector<std::string> malformed = {"",
                                                "c=biws,r=ab",
                                                "c=!,r=ab,p=" + proof,
                                                "c=biws,r=ab,p=AAAA",
                                                "c=bixhPXUs,r=other,p=" + proof,
                                                "r=ab,c=biws,p=" + proof,
                                                "c=bixhPXUs,r=ab,p=" + proof};
    for (const auto& bad : malformed) EXPECT_FALSE(server.client_final(bad, {keys_of("x")})) << bad;
}

TEST(ScramClient, DistrustsTheServer) {
    for (const char* bad : {"", "r=other,s=c2FsdA==,i=4096", "r=nonce,s=c2FsdA==,i=4096", "r=nonceX,s=,i=4096",
                            "r=nonceX,s=c2FsdA==,i=1", "r=nonceX,s=c2FsdA==,i=99999999", "r=nonceX,s=c2FsdA=="}) {
        ScramClient client("u", "p", "", "", "nonce");
        (void)client.client_first();
        EXPECT_FALSE(client.client_final(bad)) << bad;
    }
}

TEST(PreparePassword, MapsSpacesAndRefusesControls) {
    EXPECT_EQ(prepare_password("a\xC2\xA0"
                               "b")
                  .value(),
              "a b");  // no-break space
    EXPECT_EQ(prepare_password("a\xC2\xAD"
                               "b")
                  .value(),
              "ab");  // soft hyphen
    EXPECT_EQ(prepare_password("p\xC3\xA4sswort").value(), "p\xC3\xA4sswort");
    for (const char* bad : {"", "a\tb", "a\x7f", "\xff", "\xC2\x85",
                            "\xE2\x80\xAE"
                            "abc",
                            "\xC2\xAD"})
        EXPECT_FALSE(prepare_password(bad)) << bad;
    EXPECT_FALSE(prepare_password(std::string(1025, 'x')));
}

TEST(SaslClient, ChoosesTheStrongestThatIsSafe) {
    const std::vector<std::string> all = {"LOGIN", "PLAIN", "scram-sha-256", "SCRAM-SHA-256-PLUS"};
    EXPECT_EQ(choose_mechanism(all, true, true), "SCRAM-SHA-256-PLUS");
    EXPECT_EQ(choose_mechanism(all, true, false), "SCRAM-SHA-256");
    EXPECT_EQ(choose_mechanism({"PLAIN", "LOGIN"}, true, false), "PLAIN");
    EXPECT_EQ(choose_mechanism({"PLAIN", "LOGIN"}, false, false), std::nullopt);
}

TEST(SaslClient, SpeaksPlainAndLogin) {
    const auto plain = make_sasl_client("plain", "ann", "pw").value();
    EXPECT_EQ(**plain->initial_response(), std::string("\0ann\0pw", 7));
    const auto login = make_sasl_client("LOGIN", "ann", "pw").value();
    EXPECT_EQ(*login->initial_response(), std::nullopt);
    EXPECT_EQ(login->respond("Username:").value(), "ann");
    EXPECT_EQ(login->respond("Password:").value(), "pw");
    EXPECT_FALSE(login->respond("More?"));
    EXPECT_FALSE(make_sasl_client("CRAM-MD5", "ann", "pw"));
    EXPECT_FALSE(make_sasl_client("SCRAM-SHA-256-PLUS", "ann", "pw"));
}

TEST(SaslClient, BelievesScramOnlyAfterTheServersProof) {
    const auto client = make_sasl_client("SCRAM-SHA-256", "ann", "pencil").value();
    ScramServer server(false, false, {});
    ASSERT_TRUE(server.client_first(**client->initial_response()));
    const auto final = client->respond(server.server_first("salt-salt-salt!!", 4096)).value();
    EXPECT_FALSE(client->may_succeed());
    const auto verdict = server.client_final(final, {keys_of("pencil")}).value();
    EXPECT_EQ(client->respond(verdict.server_final).value(), "");
    EXPECT_TRUE(client->may_succeed());
}

}  // namespace
}  // namespace gk::auth
