import com.android.apksig.ApkSigner;
import com.android.apksig.ApkVerifier;
import java.io.File;
import java.io.FileInputStream;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.util.List;

/** Signs an APK, aligning what it stores, and verifies it: what apksigner does, by the library that apksigner is made of. */
public final class Sign {
    private static final int PAGE = 16 * 1024;
    private static final char[] PASSWORD = "android".toCharArray();
    private static final String ALIAS = "androiddebugkey";

    /** Arguments: unsigned APK, signed APK, key store, min SDK; or a signed APK and min SDK, to verify it alone. */
    public static void main(String[] words) throws Exception {
        File apk = new File(words.length == 2 ? words[0] : words[1]);
        int minSdk = Integer.parseInt(words[words.length - 1]);
        if (words.length == 4) sign(new File(words[0]), apk, new File(words[2]), minSdk);
        System.exit(verify(apk, minSdk) ? 0 : 1);
    }

    private static void sign(File from, File to, File store, int minSdk) throws Exception {
        KeyStore keys = KeyStore.getInstance("PKCS12");
        try (FileInputStream stream = new FileInputStream(store)) {
            keys.load(stream, PASSWORD);
        }
        PrivateKey key = (PrivateKey) keys.getKey(ALIAS, PASSWORD);
        List<X509Certificate> chain = List.of((X509Certificate) keys.getCertificate(ALIAS));
        new ApkSigner.Builder(List.of(new ApkSigner.SignerConfig.Builder("debug", key, chain).build()))
            .setInputApk(from)
            .setOutputApk(to)
            .setMinSdkVersion(minSdk)
            .setV1SigningEnabled(false) // for Android 6 and older
            .setV2SigningEnabled(true)
            .setV3SigningEnabled(true)
            .setLibraryPageAlignmentBytes(PAGE)
            .setCreatedBy("edge-facenet")
            .build()
            .sign();
    }

    private static boolean verify(File apk, int minSdk) throws Exception {
        ApkVerifier.Result result = new ApkVerifier.Builder(apk).setMinCheckedPlatformVersion(minSdk).build().verify();
        result.getAllErrors().forEach(error -> System.err.println(apk.getName() + ": " + error));
        boolean sound = result.isVerified() && result.isVerifiedUsingV2Scheme() && result.isVerifiedUsingV3Scheme();
        System.out.println(apk.getName() + ": signature " + (sound ? "verified (v2, v3)" : "NOT verified"));
        return sound;
    }
}
