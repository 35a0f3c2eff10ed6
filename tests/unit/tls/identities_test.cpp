// SPDX-License-Identifier: MIT
#include "common/tls/identities.hpp"

#include <gtest/gtest.h>
#include <cstdlib>

#include "common/os/file.hpp"

using namespace gk;

namespace {

struct Keys {
    Keys() {
        std::string name = "/tmp/gk-keys-XXXXXX";
        path = ::mkdtemp(name.data());
        (void)os::make_directories(path + "/tls");
    }
    ~Keys() { (void)os::remove_tree(path); }
    void add(const std::string& name) { ASSERT_TRUE(os::append_file(path + "/" + name, "x", false)); }
    std::string path;
};

}  // namespace

TEST(TlsIdentities, PutsTheDefaultFirstAndNeedsAKeyForTheRest) {
    Keys keys;
    for (const char* name : {"tls/b.test.crt", "tls/b.test.key", "tls/a.test.crt", "tls/a.test.key", "tls/keyless.crt",
                             "tls/default.crt", "tls/default.key"})
        keys.add(name);
    const auto found = tls::find_identities("", "", keys.path);
    ASSERT_TRUE(found);
    ASSERT_EQ(found->size(), 3u);
    EXPECT_EQ((*found)[0].certificate_path, keys.path + "/tls/default.crt");
    EXPECT_EQ((*found)[1].certificate_path, keys.path + "/tls/a.test.crt");
    EXPECT_EQ((*found)[2].key_path, keys.path + "/tls/b.test.key");
}

TEST(TlsIdentities, PrefersWhatIsConfigured) {
    Keys keys;
    keys.add("tls/default.crt");
    const auto found = tls::find_identities("/x.crt", "/x.key", keys.path);
    ASSERT_TRUE(found);
    EXPECT_EQ((*found)[0].certificate_path, "/x.crt");
    EXPECT_EQ(tls::find_identities("/x.crt", "", keys.path).error().code, Errc::Config);
    EXPECT_EQ(tls::find_identities("", "", keys.path + "/none").error().code, Errc::NotFound);
}

TEST(TlsIdentities, ReadsTheServiceManagersCredentials) {
    Keys keys;
    for (const char* name : {"tls_default.crt", "tls_default.key", "tls_a.test.crt", "tls_a.test.key", "other.crt"})
        keys.add(name);
    ::setenv("CREDENTIALS_DIRECTORY", keys.path.c_str(), 1);
    const auto found = tls::find_identities("", "", "/nonexistent");
    ::unsetenv("CREDENTIALS_DIRECTORY");
    ASSERT_TRUE(found);
    ASSERT_EQ(found->size(), 2u);
    EXPECT_EQ((*found)[1].key_path, keys.path + "/tls_a.test.key");
}
