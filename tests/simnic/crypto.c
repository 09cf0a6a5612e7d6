// SPDX-License-Identifier: GPL-2.0-only
/* AES-GCM for ESP (RFC 4106) on gcm(aes), so that IV and AAD are built here and not by the code under test.
 */
#include <crypto/aead.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/unaligned.h>

#include "simnic.h"

struct simnic_job {
	struct scatterlist sg[2];
	u8 nonce[SIMNIC_SALT_LEN + SIMNIC_IV_LEN];
	u8 aad[12];
	struct aead_request request; /* with the algorithm's context behind it */
};

/* simnic_gcm_alloc - a synchronous transform, since packets are handled in softirq context; ERR_PTR on error.
 */
struct crypto_aead *simnic_gcm_alloc(const u8 *key, unsigned int key_len)
{
	struct crypto_aead *tfm = crypto_alloc_aead("gcm(aes)", 0, CRYPTO_ALG_ASYNC);
	int err;

	if (IS_ERR(tfm))
		return tfm;
	err = crypto_aead_setauthsize(tfm, SIMNIC_ICV_LEN);
	if (!err)
		err = crypto_aead_setkey(tfm, key, key_len);
	if (!err)
		return tfm;
	crypto_free_aead(tfm);
	return ERR_PTR(err);
}

/* AAD is SPI and sequence number; with ESN the high half stands between them (RFC 4106, section 5). */
static unsigned int simnic_aad(const struct simnic_sa *sa, u64 seq, u8 *aad)
{
	memcpy(aad, &sa->spi, 4);
	if (!sa->esn) {
		put_unaligned_be32(lower_32_bits(seq), aad + 4);
		return 8;
	}
	put_unaligned_be64(seq, aad + 4);
	return 12;
}

/* simnic_gcm - en- or decrypts in place.
 * @data: ciphertext and behind it the ICV; linear and writable
 * @len: octets of both together
 * Returns 0, -EBADMSG for a wrong ICV, or another negative errno.
 */
int simnic_gcm(struct simnic_sa *sa, bool encrypt, u64 seq, const u8 *iv, u8 *data, unsigned int len)
{
	struct simnic_job *job;
	unsigned int aad;
	int err;

	job = kmalloc(sizeof(*job) + crypto_aead_reqsize(sa->tfm), GFP_ATOMIC);
	if (!job)
		return -ENOMEM;
	memcpy(job->nonce, sa->salt, SIMNIC_SALT_LEN);
	memcpy(job->nonce + SIMNIC_SALT_LEN, iv, SIMNIC_IV_LEN);
	aad = simnic_aad(sa, seq, job->aad);
	sg_init_table(job->sg, 2);
	sg_set_buf(&job->sg[0], job->aad, aad);
	sg_set_buf(&job->sg[1], data, len);

	aead_request_set_tfm(&job->request, sa->tfm);
	aead_request_set_callback(&job->request, 0, NULL, NULL);
	aead_request_set_ad(&job->request, aad);
	aead_request_set_crypt(&job->request, job->sg, job->sg, encrypt ? len - SIMNIC_ICV_LEN : len,
	                       job->nonce);
	err = encrypt ? crypto_aead_encrypt(&job->request) : crypto_aead_decrypt(&job->request);
	kfree_sensitive(job);
	return err;
}
