// org.tensorflow.lite with its GPU delegate. Its libraries have 4 KB pages: not for Google Play.
plugins {
    alias(libs.plugins.android.library)
}

android {
    namespace = "org.edgefacenet.engine.gpu"
    compileSdk = 35
    defaultConfig {
        minSdk = 26
    }
    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_1_8
        targetCompatibility = JavaVersion.VERSION_1_8
    }
}

dependencies {
    implementation(project(":core"))
    implementation(project(":engine"))
    implementation(libs.tensorflow.lite)
    implementation(libs.tensorflow.lite.gpu)
    implementation(libs.tensorflow.lite.gpu.api)
    testImplementation(libs.junit)
}
