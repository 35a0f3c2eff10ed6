// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include "common/message/quarantine.hpp"

namespace gk::message {
namespace {

TEST(Quarantine, IsWhatStandsAboveTheFirstReceivedField) {
    EXPECT_TRUE(is_quarantined("X-GK-Quarantine: dmarc=fail a.test\r\nReceived: x\r\n\r\nbody"));
    EXPECT_TRUE(is_quarantined("Delivered-To: a@a.test\nx-gk-quarantine: y\n\nbody"));
    EXPECT_FALSE(is_quarantined("Received: x\r\nX-GK-Quarantine: dmarc=fail a.test\r\n\r\nbody"));
    EXPECT_FALSE(is_quarantined("From: a\r\n\r\nX-GK-Quarantine: in the body\r\n"));
    EXPECT_FALSE(is_quarantined(""));
}

}  // namespace
}  // namespace gk::message
