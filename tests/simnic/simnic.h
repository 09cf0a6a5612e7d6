/* SPDX-License-Identifier: GPL-2.0-only */
/* An emulated NIC with IPsec offload, crypto and packet mode: pairs of Ethernet devices joined by a wire.
 *
 * A packet's way:  start_xmit (tx.c) [-> packet mode: policy, SA, headers (packet_tx.c)] -> encryption (tx.c)
 *                  -> wire (netdev.c) -> peer's NAPI poll (netdev.c) -> native XDP (xdp.c) -> decryption
 * (rx.c)
 *                  [-> packet mode: replay, headers, policy (packet_rx.c)] -> GRO -> stack.
 * The counters are what tests compare other counters with, so nothing in here asks the stack what it
 * counted: lengths are read off the packets themselves.
 */
#ifndef SIMNIC_H
#define SIMNIC_H

#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <linux/xarray.h>
#include <linux/workqueue.h>
#include <net/xdp.h>
#include <net/xfrm.h>

#define SIMNIC_ICV_LEN 16
#define SIMNIC_IV_LEN 8
#define SIMNIC_SALT_LEN 4
/* ESP header and explicit IV, in octets: what stands in front of the ciphertext (RFC 4106, section 3). */
#define SIMNIC_ESP_HEAD (sizeof(struct ip_esp_hdr) + SIMNIC_IV_LEN)
#define SIMNIC_SPI_BUCKETS 256
#define SIMNIC_MAX_SLOTS 65536

/* Order and names of `ethtool -S`; the first seven are promised, see ethtool.c. */
enum simnic_stat {
	SIMNIC_HW_TX_PACKETS,
	SIMNIC_HW_TX_BYTES,
	SIMNIC_HW_RX_PACKETS,
	SIMNIC_HW_RX_BYTES,
	SIMNIC_SW_TX_ESP,
	SIMNIC_SW_RX_ESP,
	SIMNIC_REFUSED,
	SIMNIC_HW_RX_ICV_FAIL,
	SIMNIC_FAULT_RX_SKIPPED,
	SIMNIC_FAULT_TX_DROPPED,
	SIMNIC_FAULT_TX_BUSY,
	SIMNIC_FAULT_RX_DROPPED,
	SIMNIC_FAULT_ICV_CORRUPTED,
	SIMNIC_TX_NO_SA,
	SIMNIC_TX_SEGMENTED,
	SIMNIC_WIRE_DROPPED,
	SIMNIC_XDP_PASS,
	SIMNIC_XDP_DROP,
	SIMNIC_XDP_TX,
	SIMNIC_XDP_REDIRECT,
	SIMNIC_TX_PACKET_NO_SA,
	SIMNIC_TX_PACKET_BLOCKED,
	SIMNIC_TX_PACKET_TOO_BIG,
	SIMNIC_TX_PACKET_NO_NEIGHBOUR,
	SIMNIC_TX_PACKET_EXPIRED,
	SIMNIC_RX_PACKET_REPLAY,
	SIMNIC_RX_PACKET_POLICY,
	SIMNIC_RX_PACKET_PLAIN,
	SIMNIC_RX_PACKET_INVALID,
	SIMNIC_STATS
};

enum simnic_suite { SIMNIC_AES128GCM16 = BIT(0), SIMNIC_AES256GCM16 = BIT(1) };
#define SIMNIC_ALL_SUITES (SIMNIC_AES128GCM16 | SIMNIC_AES256GCM16)
enum simnic_mode { SIMNIC_MODE_CRYPTO = BIT(0), SIMNIC_MODE_PACKET = BIT(1) };
#define SIMNIC_MAX_WINDOW 256

#define SIMNIC_MAX_DELAY 10000 /* ms */

/* Faults that a test switches on; 0 is off everywhere. See fault.c for the text form. */
struct simnic_fault {
	u32 rx_skip;        /* every Nth ESP packet that could be decrypted is passed up as it is */
	u32 tx_drop;        /* every Nth encrypted packet is lost after the stack has counted it */
	u32 tx_busy;        /* every Nth packet to encrypt is handed back to the stack (NETDEV_TX_BUSY) */
	u32 corrupt_icv;    /* every Nth encrypted packet leaves with a wrong ICV */
	u32 rx_corrupt;     /* every Nth packet to decrypt fails its ICV here */
	u32 add_errno;      /* state_add fails with this errno ... */
	u32 add_after;      /* ... after this many more SAs were taken */
	u32 add_delay;      /* state_add takes so many milliseconds */
	bool accept_silent; /* state_add says EOPNOTSUPP, which the stack takes for "use software" */
	bool in_only;       /* these three concern inbound SAs alone, ... */
	bool out_only;      /* ... or outbound ones */
	bool drop_all;      /* SAs are taken, and every packet of theirs is lost, both ways */
};

struct simnic_fault_state {
	struct simnic_fault knob;
	atomic_t rx_seen, tx_seen, busy_seen, icv_seen, rx_icv_seen;
};

struct simnic_sa {
	struct hlist_node by_spi;    /* inbound SAs only */
	struct list_head of_packets; /* outbound packet-mode SAs only, the newest first */
	struct rcu_work release;
	struct xfrm_state *x; /* not held: valid until state_free, compared or taken under RCU only */
	struct crypto_aead *tfm;
	u32 handle;
	__be32 spi;
	u8 salt[SIMNIC_SALT_LEN];
	u16 family;
	u8 dir, mode;
	bool esn;
	bool packet;  /* packet mode */
	bool copy_df; /* packet mode, outbound */
	u32 reqid;
	enum simnic_suite suite;
	xfrm_address_t src, dst;
	spinlock_t esn_lock;
	u64 esn_top; /* highest authenticated sequence number, inbound */
	u32 esn_window;
	atomic64_t packets, bytes;

	/* Packet mode: what the stack does itself in crypto mode. */
	atomic64_t seq;                            /* last one sent with */
	DECLARE_BITMAP(replay, SIMNIC_MAX_WINDOW); /* by seq % SIMNIC_MAX_WINDOW, under esn_lock */
	u32 window;                                /* 0: no check */
	u64 replay_top;
	u64 soft_packets, hard_packets, soft_bytes, hard_bytes; /* XFRM_INF: none */
	unsigned long told;                                     /* bit 0: soft limit, bit 1: hard limit */
	/* Not yet told to the stack, see simnic_update_stats. */
	atomic64_t fresh_packets, fresh_bytes, fresh_replayed, fresh_icv_failed;
};

/* An offloaded policy. From policy_delete on it may still meet packets that the stack has looked up before:
 * they have no ESP header yet and must not leave as they are.
 */
struct simnic_policy {
	struct list_head list; /* by priority; of equals the newest first */
	struct rcu_head rcu;
	const struct xfrm_policy *xp; /* compared only */
	struct xfrm_selector sel;
	u32 priority;
	u8 dir;
	bool block, has_template;
	u8 mode;
	u32 reqid;
	u16 family; /* of the template */
	xfrm_address_t src, dst;
	unsigned long deleted; /* jiffies, 0: it is in force */
};

/* What policies look at. */
struct simnic_flow {
	u16 family;
	u8 proto;
	bool has_ports; /* no: a fragment, or no protocol with ports; then ports are not compared */
	bool exempt;    /* ESP, neighbour discovery: no policy's business */
	__be16 sport, dport;
	xfrm_address_t src, dst;
};

struct simnic_dev {
	struct net_device *dev, *peer;
	char name[IFNAMSIZ]; /* as created; debugfs keeps it when the device is renamed */

	struct napi_struct napi;
	struct sk_buff_head rxq;
	struct bpf_prog __rcu *xdp_prog;
	struct xdp_rxq_info xdp_rxq;

	spinlock_t sa_lock;                    /* the SPI table and the slot counts */
	struct xarray sas;                     /* handle -> struct simnic_sa, from state_add to state_free */
	struct list_head policies, packet_sas; /* written under sa_lock */
	struct hlist_head by_spi[SIMNIC_SPI_BUCKETS];
	u32 tx_used, rx_used;

	u32 tx_slots, rx_slots;
	u32 suites, modes;
	bool esn;
	struct simnic_fault_state fault;

	atomic64_t stat[SIMNIC_STATS];
	struct dentry *debugfs;
};

/* What a frame carries, as far as this NIC looks. */
enum simnic_kind {
	SIMNIC_PLAIN,
	SIMNIC_ESP,      /* whole, ESP right behind the IP header: can be decrypted */
	SIMNIC_ESP_OTHER /* ESP that passes: first fragment, in UDP, behind extension headers, VLAN */
};

struct simnic_esp {
	unsigned int offset; /* of the ESP header from skb->data, octets */
	unsigned int length; /* ESP header to ICV, octets, without Ethernet padding */
	u16 family;
	__be32 spi, seq;
	xfrm_address_t daddr;
};

#define simnic_refuse(extack, text) \
	({ \
		NL_SET_ERR_MSG(extack, text); \
		-EINVAL; \
	})

static inline void simnic_count(struct simnic_dev *nic, enum simnic_stat which, u64 by)
{
	atomic64_add(by, &nic->stat[which]);
}

/* main.c */
extern struct workqueue_struct *simnic_wq;

/* netdev.c */
void simnic_setup(struct net_device *dev);
void simnic_init_dev(struct simnic_dev *nic, struct net_device *dev, struct net_device *peer);
void simnic_wire(struct simnic_dev *nic, struct sk_buff *skb);

/* parse.c */
enum simnic_kind simnic_parse(const struct sk_buff *skb, struct simnic_esp *esp);

/* xfrm.c */
extern const struct xfrmdev_ops simnic_xfrmdev_ops;
struct simnic_sa *simnic_tx_sa(struct simnic_dev *nic, const struct xfrm_state *x);
struct simnic_sa *simnic_rx_sa(struct simnic_dev *nic, const struct simnic_esp *esp);

/* policy.c */
int simnic_policy_add(struct xfrm_policy *xp, struct netlink_ext_ack *extack);
void simnic_policy_delete(struct xfrm_policy *xp);
void simnic_policy_free(struct xfrm_policy *xp);
bool simnic_flow_read(const struct sk_buff *skb, unsigned int offset, __be16 protocol,
                      struct simnic_flow *flow);
struct simnic_policy *simnic_policy_match(struct simnic_dev *nic, u8 dir, const struct simnic_flow *flow);
bool simnic_same_address(u16 family, const xfrm_address_t *a, const xfrm_address_t *b);

/* packet_sa.c */
int simnic_check_packet(struct simnic_dev *nic, struct xfrm_state *x, struct netlink_ext_ack *extack);
void simnic_packet_init(struct simnic_sa *sa, const struct xfrm_state *x);
void simnic_sa_count(struct simnic_sa *sa, unsigned int bytes);
bool simnic_sa_spent(const struct simnic_sa *sa);
void simnic_update_stats(struct xfrm_state *x);

/* packet_tx.c */
bool simnic_xmit_packet(struct simnic_dev *nic, struct sk_buff *skb);

/* packet_rx.c */
bool simnic_replay_ok(struct simnic_sa *sa, u64 seq);
void simnic_replay_advance(struct simnic_sa *sa, u64 seq);
int simnic_decapsulate(struct simnic_dev *nic, struct sk_buff *skb, const struct simnic_sa *sa,
                       const struct simnic_esp *esp, unsigned int payload, u8 next_header);
bool simnic_plain_ok(struct simnic_dev *nic, const struct sk_buff *skb);

/* crypto.c */
struct crypto_aead *simnic_gcm_alloc(const u8 *key, unsigned int key_len);
int simnic_gcm(struct simnic_sa *sa, bool encrypt, u64 seq, const u8 *iv, u8 *data, unsigned int len);

/* tx.c */
/* What an ESP packet to be encrypted needs besides its octets. */
struct simnic_tx {
	struct simnic_sa *sa;
	unsigned int offset; /* of the ESP header from skb->data */
	u64 seq;             /* of this packet, or of a batch's first */
	u8 next_header;
};

netdev_tx_t simnic_start_xmit(struct sk_buff *skb, struct net_device *dev);
void simnic_lose(struct simnic_dev *nic, struct sk_buff *skb, enum simnic_stat why);
int simnic_complete(struct sk_buff *skb, const struct simnic_tx *tx);
void simnic_send_esp(struct simnic_dev *nic, struct sk_buff *skb, const struct simnic_tx *tx);

/* rx.c */
struct sk_buff *simnic_decrypt(struct simnic_dev *nic, struct sk_buff *skb);
void simnic_esn_sync(struct simnic_sa *sa, u64 seq);

/* xdp.c */
int simnic_bpf(struct net_device *dev, struct netdev_bpf *bpf);
int simnic_xdp_xmit(struct net_device *dev, int count, struct xdp_frame **frames, u32 flags);
struct sk_buff *simnic_xdp_run(struct simnic_dev *nic, struct bpf_prog *prog, struct sk_buff *skb,
                               bool *redirected);

/* fault.c */
int simnic_fault_parse(struct simnic_fault *fault, char *text);
void simnic_fault_show(const struct simnic_fault *fault, struct seq_file *out);
bool simnic_fault_due(atomic_t *seen, u32 every);

/* debugfs.c */
void simnic_debugfs_init(void);
void simnic_debugfs_exit(void);
void simnic_debugfs_add(struct simnic_dev *nic);
const char *simnic_suite_name(enum simnic_suite suite);

/* ethtool.c */
extern const struct ethtool_ops simnic_ethtool_ops;
const char *simnic_stat_name(enum simnic_stat which);

#endif
