"""The words of other libraries, and what they are here: a table, which :mod:`tensorgrad.vocabulary` looks into."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

__all__ = ["WORDS", "Word"]


class Word(NamedTuple):
    """A word of another library.

    Attributes
    ----------
    theirs, of : str
        The word, and whose it is.
    ours : str
        Our word for it; of one that does not work, what to write instead.
    where : str
        "layers", "optim", "callbacks" or "tensorgrad" (a name in that module), "model" (an attribute), the argument
        that it is a value of, as "loss", or the functions or classes that it is an argument of, as "Conv2d, Conv1d".
    differs : str
        What is different here.
    works : bool
        Whether it may be used.
    order : tuple of str
        Of a layer: our arguments for what they pass by position.
    given : mapping
        Of a layer: our arguments that follow from their name or their defaults.
    values : mapping
        Of a layer: for an argument of ours, what their values are here.
    """

    theirs: str
    of: str
    ours: str
    where: str
    differs: str = ""
    works: bool = True
    order: tuple[str, ...] = ()
    given: Mapping[str, Any] = MappingProxyType({})
    values: Mapping[str, Mapping[Any, Any]] = MappingProxyType({})


K, T, S = "Keras", "PyTorch", "scikit-learn"
_PADDING = {"padding": {"valid": None, "same": "keep"}}
_CONVOLUTIONS = "Conv2d, Conv1d, ConvTranspose2d"
_WEIGHTED = f"FFL, {_CONVOLUTIONS}"
_POOLS = "Pool2d, Pool1d"
_REDUCING = "sum, mean, prod, logsumexp, norm, any, all"
_ALONG = f"{_REDUCING}, cumsum, argmax, argmin, argsort, squeeze, expand_dims, softmax, log_softmax, concatenate, stack"


def _none(names: str, of: str, where: str, why: str, ours: str = "nothing") -> tuple[Word, ...]:
    """Words that do not work, all for one reason."""
    return tuple(Word(name, of, ours, where, why, works=False) for name in names.split())


_LINEAR = "the input's size may be left out"
_PYTORCHS_2D = "data is channels-last; channels of the input are found out"

WORDS: tuple[Word, ...] = (
    # -- layers
    Word("Dense", K, "FFL", "layers", order=("neurons", "activation", "is_bias")),
    Word("Linear", T, "FFL", "layers", _LINEAR, order=("input_shape", "neurons", "is_bias")),
    Word("Conv2D", K, "Conv2d", "layers", "its own words; Conv2d frames the image with one pixel unless told otherwise",
         order=("filters", "kernel_size", "stride", "padding"), given={"padding": None}, values=_PADDING),
    Word("MaxPooling2D", K, "Pool2d", "layers", order=("kernel_size", "stride", "padding"), given={"kind": "max"},
         values=_PADDING),
    Word("AveragePooling2D", K, "Pool2d", "layers", order=("kernel_size", "stride", "padding"),
         given={"kind": "average"}, values=_PADDING),
    Word("MaxPool2d", T, "Pool2d", "layers", _PYTORCHS_2D, order=("kernel_size", "stride", "padding"),
         given={"kind": "max"}),
    Word("AvgPool2d", T, "Pool2d", "layers", "an average does not count the padding",
         order=("kernel_size", "stride", "padding"), given={"kind": "average"}),
    Word("GlobalAveragePooling2D", K, "GlobalPool", "layers", given={"kind": "average"}),
    Word("GlobalMaxPooling2D", K, "GlobalPool", "layers", given={"kind": "max"}),
    Word("BatchNormalization", K, "BatchNorm", "layers", "momentum is the share of the new: 1 minus Keras's"),
    *_none("BatchNorm1d BatchNorm2d BatchNorm3d", T, "layers",
           "the number of channels is found out: BatchNorm()", "BatchNorm()"),
    *_none("SyncBatchNorm", T, "layers", "the number of channels is found out", "BatchNorm(synchronized=True)"),
    Word("LayerNormalization", K, "LayerNorm", "layers", "over all but the batch axis"),
    Word("UpSampling2D", K, "Upsample", "layers", order=("kernel_size",)),
    Word("ReLU", f"{K}, {T}", "Activation", "layers", given={"activation": "relu"}),
    Word("Sigmoid", T, "Activation", "layers", given={"activation": "sigmoid"}),
    Word("Tanh", T, "Activation", "layers", given={"activation": "tanh"}),
    Word("Softmax", f"{K}, {T}", "Activation", "layers", given={"activation": "softmax"}),
    Word("GELU", T, "Activation", "layers", given={"activation": "gelu"}),
    Word("SiLU", T, "Activation", "layers", given={"activation": "swish"}),
    Word("Conv1D", K, "Conv1d", "layers", order=("filters", "kernel_size", "stride", "padding"), values=_PADDING),
    Word("Conv2DTranspose", K, "ConvTranspose2d", "layers", order=("filters", "kernel_size", "stride", "padding"),
         values=_PADDING),
    *(Word(f"Conv{more}", K, ours, "layers", "a second name that Keras has", works=False) for more, ours in
      (("olution1D", "Conv1d"), ("olution2D", "Conv2d"), ("olution2DTranspose", "ConvTranspose2d"))),
    Word("MaxPooling1D", K, "Pool1d", "layers", order=("kernel_size", "stride", "padding"), given={"kind": "max"},
         values=_PADDING),
    Word("AveragePooling1D", K, "Pool1d", "layers", order=("kernel_size", "stride", "padding"),
         given={"kind": "average"}, values=_PADDING),
    Word("MaxPool1d", T, "Pool1d", "layers", order=("kernel_size", "stride", "padding"), given={"kind": "max"}),
    Word("AvgPool1d", T, "Pool1d", "layers", "an average does not count the padding",
         order=("kernel_size", "stride", "padding"), given={"kind": "average"}),
    Word("ZeroPadding2D", K, "ZeroPadding2d", "layers", order=("padding",)),
    Word("ZeroPad2d", T, "ZeroPadding2d(((top, bottom), (left, right)))", "layers",
         "PyTorch's order of the sides is (left, right, top, bottom)", works=False),
    Word("UpsamplingNearest2d", T, "Upsample", "layers", "Upsample(2) doubles both sizes", works=False),
    Word("Rescaling", K, "Rescale", "layers", order=("scale", "offset")),
    Word("Normalization", K, "Rescale", "layers", "1 / s and -m / s for channels of mean m and deviation s",
         works=False),
    Word("Unflatten", T, "Reshape", "layers", "Reshape(shape), of one sample", works=False),
    Word("LazyLinear", T, "FFL", "layers", order=("neurons", "is_bias")),
    *_none("LazyConv1d LazyConv2d LazyConvTranspose2d LazyBatchNorm1d LazyBatchNorm2d LazyBatchNorm3d", T, "layers",
           "Conv1d, Conv2d, ConvTranspose2d and BatchNorm find out the channels of their input", "as without Lazy"),
    Word("Identity", f"{K}, {T}", "Sequential([])", "layers", works=False),
    *_none("AdaptiveAvgPool2d AdaptiveMaxPool2d", T, "layers",
           "one number for each channel, without the two axes of length 1; there are no other sizes",
           "GlobalPool('average') or GlobalPool('max')"),
    *_none("AdaptiveAveragePooling2D AdaptiveMaxPooling2D GlobalAvgPool2D GlobalMaxPool2D", K, "layers",
           "one number for each channel; there are no other sizes", "GlobalPool('average') or GlobalPool('max')"),
    *_none("GlobalAveragePooling1D GlobalMaxPooling1D GlobalAvgPool1D GlobalMaxPool1D AdaptiveAveragePooling1D "
           "AdaptiveMaxPooling1D AdaptiveAvgPool1d AdaptiveMaxPool1d", f"{K}, {T}", "layers",
           "sequences are pooled as images one pixel wide", "Reshape((length, 1, channels)), then GlobalPool"),
    *_none("MaxPool2D AvgPool2D MaxPool1D AvgPool1D", K, "layers", "kind='max' or 'average'", "Pool2d or Pool1d"),
    *_none("LeakyReLU ELU Softplus", f"{K}, {T}", "layers", "by its name, 'leaky_relu', 'elu' or 'softplus'",
           "Activation"),
    *_none("PReLU ReLU6 RReLU SELU CELU GLU Mish Hardshrink Hardsigmoid Hardswish Hardtanh Softshrink Softsign Softmin "
           "Softmax2d LogSoftmax LogSigmoid Tanhshrink Threshold", f"{K}, {T}", "layers",
           "after register_activation('mine', function)", "Activation('mine')"),
    *_none("SeparableConv1D SeparableConv2D SeparableConvolution1D SeparableConvolution2D DepthwiseConv1D "
           "DepthwiseConv2D", K, "layers", "a depthwise convolution has as many groups as channels, and a separable "
           "one is followed by one of kernel_size=1", "Conv2d(groups=channels)"),
    *_none("Input InputLayer", K, "layers", "the first layer says it: Conv2d(input_shape=(28, 28, 1), ...)",
           "input_shape="),
    *_none("Average Maximum Minimum Multiply Subtract Dot", K, "layers",
           "layers side by side are joined by Add and Concatenate", "a Layer of your own"),
    *_none("Lambda Permute RepeatVector CenterCrop Cropping1D Cropping2D Resizing ZeroPadding1D UpSampling1D Wrapper "
           "GaussianNoise GaussianDropout ActivityRegularization UnitNormalization TimeDistributed Masking", K,
           "layers", "a class with one method, forward(x, training)", "a Layer of your own"),
    *_none("Bilinear ChannelShuffle PixelShuffle PixelUnshuffle Fold Unfold CosineSimilarity PairwiseDistance "
           "ConstantPad1d ConstantPad2d ReflectionPad1d ReflectionPad2d ReplicationPad1d ReplicationPad2d "
           "CircularPad1d CircularPad2d ZeroPad1d UpsamplingBilinear2d MaxUnpool1d MaxUnpool2d LPPool1d LPPool2d "
           "FractionalMaxPool2d ConvTranspose1d LazyConvTranspose1d", T, "layers",
           "a class with one method, forward(x, training)", "a Layer of your own"),
    *_none("Module", T, "layers", "a class with one method, forward(x, training)", "Layer"),
    *_none("Parameter Buffer UninitializedParameter UninitializedBuffer", T, "layers",
           "attributes that are tensors with requires_grad=True are trained; arrays are named in `buffers`", "Tensor"),
    *_none("ModuleList ModuleDict ParameterList ParameterDict Container", T, "layers",
           "attributes that are layers, tensors or lists of layers are found", "a list"),
    *_none("SpatialDropout1D SpatialDropout2D SpatialDropout3D AlphaDropout", K, "layers",
           "it drops single numbers, not whole channels", "Dropout"),
    *_none("Dropout1d Dropout2d Dropout3d FeatureAlphaDropout", T, "layers",
           "it drops single numbers, not whole channels", "Dropout"),
    *_none("GroupNorm InstanceNorm1d InstanceNorm2d InstanceNorm3d LazyInstanceNorm1d LazyInstanceNorm2d "
           "LazyInstanceNorm3d LocalResponseNorm CrossMapLRN2d RMSNorm", T, "layers",
           "over the batch, or over the channels of each pixel", "BatchNorm or LayerNorm"),
    *_none("GroupNormalization RMSNormalization SpectralNormalization", K, "layers",
           "over the batch, or over the channels of each pixel", "BatchNorm or LayerNorm"),
    *_none("RandomFlip RandomRotation RandomTranslation RandomZoom RandomBrightness RandomContrast RandomCrop "
           "RandomColorDegeneration RandomColorJitter RandomElasticTransform RandomErasing RandomGaussianBlur "
           "RandomGrayscale RandomHue RandomInvert RandomPerspective RandomPosterization RandomSaturation "
           "RandomSharpness RandomShear RandAugment AugMix AutoContrast CutMix MixUp Equalization Solarization "
           "Pipeline ContrastLimitedAdaptiveHistogramEqualization MaxNumBoundingBoxes", K, "layers",
           "pictures are changed while training, by tensorgrad.data.Augment or a function of (batch, rng)",
           "train(augment=)"),
    *_none("LSTM GRU LSTMCell GRUCell RNN", f"{K}, {T}", "layers", "there are no recurrent layers"),
    *_none("SimpleRNN SimpleRNNCell StackedRNNCells Bidirectional ConvLSTM1D ConvLSTM2D ConvLSTM3D", K, "layers",
           "there are no recurrent layers"),
    *_none("RNNBase RNNCell RNNCellBase", T, "layers", "there are no recurrent layers"),
    *_none("Attention AdditiveAttention MultiHeadAttention GroupQueryAttention EinsumDense", K, "layers",
           "there are no layers of attention"),
    *_none("MultiheadAttention Transformer TransformerDecoder TransformerDecoderLayer TransformerEncoder "
           "TransformerEncoderLayer", T, "layers", "there are no layers of attention"),
    *_none("Embedding", f"{K}, {T}", "layers", "there are no layers for text"),
    *_none("EmbeddingBag", T, "layers", "there are no layers for text"),
    *_none("ReversibleEmbedding TextVectorization StringLookup IntegerLookup CategoryEncoding Discretization Hashing "
           "HashedCrossing", K, "layers", "there are no layers for text and categories"),
    *_none("MelSpectrogram STFTSpectrogram FlaxLayer JaxLayer TFSMLayer TorchModuleWrapper InputSpec", K, "layers",
           "it stands for something outside of this library"),
    *_none("DataParallel", T, "layers", "tensorgrad.parallel shares a batch among processes", "tensorgrad.parallel"),
    *_none("Conv3D Conv3DTranspose Convolution3D Convolution3DTranspose Conv1DTranspose Convolution1DTranspose "
           "MaxPooling3D AveragePooling3D MaxPool3D AvgPool3D GlobalAveragePooling3D GlobalMaxPooling3D "
           "GlobalAvgPool3D GlobalMaxPool3D AdaptiveAveragePooling3D AdaptiveMaxPooling3D Cropping3D UpSampling3D "
           "ZeroPadding3D", K, "layers", "layers are for images (2d) and sequences (1d)"),
    *_none("Conv3d ConvTranspose3d LazyConv3d LazyConvTranspose3d MaxPool3d AvgPool3d AdaptiveAvgPool3d "
           "AdaptiveMaxPool3d FractionalMaxPool3d LPPool3d MaxUnpool3d CircularPad3d ConstantPad3d ReflectionPad3d "
           "ReplicationPad3d ZeroPad3d", T, "layers", "layers are for images (2d) and sequences (1d)"),
    # -- their arguments
    Word("units", K, "neurons", "FFL"),
    Word("use_bias", K, "is_bias", "FFL"),
    Word("isbias", "Conv2d here", "is_bias", "FFL"),
    Word("in_features", T, "input_shape", "FFL"),
    Word("out_features", T, "neurons", "FFL"),
    Word("strides", K, "stride", f"{_CONVOLUTIONS}, {_POOLS}"),
    Word("use_bias", K, "isbias", _CONVOLUTIONS),
    Word("is_bias", "FFL here", "isbias", _CONVOLUTIONS),
    Word("dilation_rate", K, "dilation", _CONVOLUTIONS),
    Word("out_channels", T, "filters", _CONVOLUTIONS),
    *_none("in_channels", T, _CONVOLUTIONS,
           "the channels are the last of input_shape, or found out when the layer is added to a model",
           "input_shape=(height, width, channels)"),
    Word("kernel_initializer", K, "initializer", _WEIGHTED),
    *_none("bias_initializer", K, _WEIGHTED, "bias= has the values, or initializer= both", "bias or initializer"),
    *_none("kernel_regularizer bias_regularizer activity_regularizer", K, _WEIGHTED,
           "a setting of the optimizer: Adam(model.parameters(), weight_decay=0.01)", "weight_decay"),
    *_none("kernel_constraint bias_constraint", K, _WEIGHTED, "clip the weights in a callback"),
    *_none("data_format", K, f"{_CONVOLUTIONS}, {_POOLS}, Upsample, Flatten, ZeroPadding2d, GlobalPool",
           "images are (height, width, channels), channels last"),
    *_none("padding_mode", T, _CONVOLUTIONS, "padding='same' repeats the edge by one pixel; see functional.pad",
           "padding"),
    *_none("device dtype", T, f"{_WEIGHTED}, BatchNorm, LayerNorm",
           "all is computed by the CPU, in float32 unless the model's astype says otherwise", "astype"),
    Word("pool_size", K, "kernel_size", _POOLS),
    *_none("return_indices", T, _POOLS, "the indices of the largest pixels are not given"),
    Word("size", K, "kernel_size", "Upsample"),
    Word("scale_factor", T, "kernel_size", "Upsample"),
    *_none("interpolation mode align_corners", f"{K}, {T}", "Upsample", "pixels are repeated"),
    Word("rate", K, "prob", "Dropout"),
    Word("p", T, "prob", "Dropout"),
    *_none("inplace", T, "Dropout, Activation", "what is computed again and again lies in memory that is reused"),
    *_none("noise_shape", K, "Dropout", "each number is dropped by itself"),
    Word("target_shape", K, "shape", "Reshape"),
    *_none("start_dim end_dim", T, "Flatten", "all axes of a sample become one"),
    Word("epsilon", K, "eps", "BatchNorm, LayerNorm"),
    *_none("num_features", T, "BatchNorm", "the number of channels is found out", "BatchNorm()"),
    *_none("normalized_shape", T, "LayerNorm", "over the last axis, whose length is found out", "LayerNorm()"),
    *_none("axis", K, "BatchNorm, LayerNorm, Concatenate", "the last axis, the channels"),
    *_none("center scale affine elementwise_affine", f"{K}, {T}", "BatchNorm, LayerNorm",
           "set its weights and biases, and trainable = False", "trainable"),
    *_none("track_running_stats", T, "BatchNorm", "set trainable = False to keep them as they are", "trainable"),
    *_none("name", K, f"{_WEIGHTED}, {_POOLS}, Dropout, Flatten, BatchNorm, LayerNorm, Activation, Reshape, Upsample, "
           "GlobalPool", "a model names its layers as they are added; set layer.name afterwards", "layer.name"),
    Word("learning_rate", K, "lr", "Optimizer"),
    Word("epsilon", K, "eps", "Adam, Adamax, Nadam, RMSprop, Adagrad, Adadelta"),
    Word("beta_1", K, "beta1", "Adam, Adamax, Nadam"),
    Word("beta_2", K, "beta2", "Adam, Adamax, Nadam"),
    *_none("betas", T, "Adam, Adamax, Nadam", "two settings", "beta1= and beta2="),
    *_none("amsgrad", f"{K}, {T}", "Adam", "the largest mean square is not kept"),
    Word("alpha", T, "rho", "RMSprop"),
    Word("momentum", f"{K}, {T}", "mr", "SGD", "0.001 unless told otherwise"),
    *_none("nesterov dampening", f"{K}, {T}", "SGD", "Momentum(nesterov=True), by name 'momentum'", "Momentum"),
    *_none("clipnorm global_clipnorm clipvalue", K, "Optimizer", "compile_model(clip_norm=, clip_value=)",
           "clip_norm or clip_value"),
    Word("filepath", K, "path", "ModelCheckpoint"),
    *_none("save_weights_only", K, "ModelCheckpoint", "the model is saved whole, so that training can go on"),
    *_none("save_freq", K, "ModelCheckpoint", "every so many epochs", "every"),
    Word("filename", K, "path", "CSVLogger"),
    *_none("separator", K, "CSVLogger", "it is a comma"),
    *_none("verbose", K, "EarlyStopping, ModelCheckpoint, ReduceLROnPlateau, LearningRateScheduler",
           "callbacks print nothing; train(verbose=)"),
    *_none("baseline start_from_epoch", K, "EarlyStopping", "it waits from the first epoch on"),
    *_none("cooldown", K, "ReduceLROnPlateau", "it waits for `patience` epochs again", "patience"),
    # -- activations, losses, optimizers, metrics
    Word("ReLU", T, "relu", "activation"),
    Word("LeakyReLU", T, "leaky_relu", "activation"),
    Word("ELU", T, "elu", "activation"),
    Word("GELU", T, "gelu", "activation", "exactly, as theirs unless told otherwise"),
    Word("Sigmoid", T, "sigmoid", "activation"),
    Word("Tanh", T, "tanh", "activation"),
    Word("Softmax", T, "softmax", "activation"),
    Word("silu", f"{K}, {T}", "swish", "activation"),
    Word("LogSoftmax", T, "softmax", "activation", "the loss 'cse' is computed from the logits", works=False),
    *_none("selu celu mish hard_sigmoid hard_silu hard_swish hard_tanh hard_shrink soft_shrink softsign relu6 "
           "exponential log_sigmoid glu sparsemax squareplus sparse_plus sparse_sigmoid tanh_shrink "
           "threshold", K, "activation", "and use it by its name", "register_activation('mine', function)"),
    Word("he_normal", K, "he", "initializer"),
    Word("kaiming_normal_", T, "he", "initializer"),
    Word("glorot_normal", K, "glorot", "initializer"),
    Word("xavier_normal_", T, "glorot", "initializer"),
    Word("lecun_normal", K, "lecun", "initializer"),
    Word("orthogonal_", T, "orthogonal", "initializer"),
    Word("zeros_", T, "zeros", "initializer"),
    *_none("he_uniform lecun_uniform random_normal random_uniform truncated_normal variance_scaling "
           "ones constant identity", K, "initializer", "such as lambda shape, rng: rng.uniform(-0.1, 0.1, shape)",
           "a function of (shape, rng)"),
    *_none("kaiming_uniform_ uniform_ normal_ trunc_normal_ sparse_ dirac_ eye_", T, "initializer",
           "such as lambda shape, rng: rng.uniform(-0.1, 0.1, shape)", "a function of (shape, rng)"),
    Word("categorical_crossentropy", K, "cse", "loss"),
    Word("sparse_categorical_crossentropy", K, "cse", "loss", "integer labels and one-hot rows are told apart"),
    Word("cross_entropy", T, "cse", "loss", "the last layer has activation='softmax'; it is computed from logits"),
    Word("CrossEntropyLoss", T, "cse", "loss",
         "theirs takes logits, ours comes after a last layer with activation='softmax' (computed from its logits)",
         works=False),
    Word("NLLLoss", T, "cse", "loss", "after a last layer with activation='softmax'", works=False),
    Word("binary_crossentropy", K, "bce", "loss"),
    Word("BCELoss", T, "bce", "loss"),
    Word("BCEWithLogitsLoss", T, "bce", "loss",
         "theirs takes logits, ours comes after a last layer with activation='sigmoid' (computed from its logits)",
         works=False),
    Word("mean_squared_error", K, "mse", "loss"),
    Word("squared_error", S, "mse", "loss"),
    Word("MSELoss", T, "mse", "loss"),
    Word("mean_absolute_error", K, "mae", "loss"),
    Word("L1Loss", T, "mae", "loss"),
    Word("HuberLoss", T, "huber", "loss"),
    Word("SmoothL1Loss", T, "huber", "loss"),
    *_none("kl_divergence categorical_focal_crossentropy binary_focal_crossentropy "
           "categorical_generalized_cross_entropy categorical_hinge hinge squared_hinge log_cosh poisson dice tversky "
           "circle ctc cosine_similarity mean_absolute_percentage_error mean_squared_logarithmic_error", K, "loss",
           "loss=f, f(outputs, targets) -> a Tensor", "a function of your own"),
    *_none("KLDivLoss PoissonNLLLoss GaussianNLLLoss CTCLoss HingeEmbeddingLoss CosineEmbeddingLoss SoftMarginLoss "
           "MarginRankingLoss MultiLabelMarginLoss MultiLabelSoftMarginLoss MultiMarginLoss TripletMarginLoss "
           "TripletMarginWithDistanceLoss AdaptiveLogSoftmaxWithLoss LinearCrossEntropyLoss NLLLoss2d", T, "loss",
           "loss=f, f(outputs, targets) -> a Tensor", "a function of your own"),
    Word("Adam", f"{K}, {T}", "adam", "opt"),
    Word("AdamW", f"{K}, {T}", "adamw", "opt"),
    Word("SGD", f"{K}, {T}", "sgd", "opt", "with the tutorial's momentum, mr=0.001; 'iterative' has none"),
    Word("RMSprop", f"{K}, {T}", "rmsprop", "opt"),
    Word("Adagrad", f"{K}, {T}", "adagrad", "opt"),
    Word("Adadelta", f"{K}, {T}", "adadelta", "opt"),
    Word("Adamax", f"{K}, {T}", "adamax", "opt"),
    Word("Nadam", f"{K}, {T}", "nadam", "opt"),
    *_none("Adafactor Ftrl Lamb Lion Muon ScheduleFreeAdamW LossScaleOptimizer MultiOptimizer", K, "opt",
           "a class with one method, update", "an Optimizer of your own"),
    *_none("ASGD RAdam Rprop SparseAdam", T, "opt", "a class with one method, update", "an Optimizer of your own"),
    *_none("LBFGS", T, "opt", "all of the data at once: minimize(closure, params)", "tensorgrad.optim.minimize"),
    Word("acc", K, "accuracy", "metrics"),
    *(Word(name, K, "accuracy", "metrics", "what it means follows from the last activation") for name in
      ("binary_accuracy", "categorical_accuracy", "sparse_categorical_accuracy")),
    *(Word(name, K, "cse", "metrics") for name in ("categorical_crossentropy", "sparse_categorical_crossentropy")),
    Word("mean_absolute_error", K, "mae", "metrics"),
    Word("R2Score", K, "r2", "metrics"),
    *(Word(name, S, ours, "metrics") for name, ours in
      (("accuracy_score", "accuracy"), ("precision_score", "precision"), ("recall_score", "recall"),
       ("r2_score", "r2"))),
    *_none("top_k_categorical_accuracy sparse_top_k_categorical_accuracy", K, "metrics", "for k = 5", "top5"),
    *_none("AUC BinaryIoU IoU MeanIoU OneHotIoU OneHotMeanIoU FBetaScore TruePositives TrueNegatives FalsePositives "
           "FalseNegatives RootMeanSquaredError MeanAbsolutePercentageError MeanSquaredLogarithmicError "
           "CosineSimilarity ConcordanceCorrelation PearsonCorrelation PrecisionAtRecall RecallAtPrecision "
           "SensitivityAtSpecificity SpecificityAtSensitivity KLDivergence LogCosh LogCoshError Poisson Hinge "
           "SquaredHinge CategoricalHinge BinaryCrossentropy binary_focal_crossentropy categorical_focal_crossentropy",
           K, "metrics", "metrics=[g], g(outputs, targets) -> a number", "a function of your own"),
    Word("mean_squared_error", K, "mse", "metrics"),
    Word("f1_score", S, "f1", "metrics", "the mean over the classes"),
    Word("avg", "short", "average", "kind"),
    Word("mean", "short", "average", "kind"),
    # -- arguments of models
    Word("optimizer", K, "opt", "compile_model"),
    Word("learning_rate", K, "lr", "compile_model"),
    Word("momentum", K, "mr", "compile_model"),
    *_none("loss_weights weighted_metrics", K, "compile_model", "there is one output; train has sample_weight=",
           "sample_weight"),
    *_none("run_eagerly steps_per_execution jit_compile auto_scale_loss", K, "compile_model",
           "a step is computed as it is written"),
    Word("x", K, "X", "train, evaluate, predict"),
    Word("y", K, "Y", "train, evaluate"),
    Word("validation_split", K, "val_split", "train", "set aside at random; the last ones if shuffle=False"),
    Word("validation_data", K, "val_x=, val_y=", "train", "a pair (x, y), which is taken apart, or a Dataset"),
    Word("max_iter", S, "epochs", "train"),
    *_none("initial_epoch", K, "train",
           "Keras's epochs are counted in all: resume(X, Y, epochs=10) trains until there are 10; train(first_epoch=) "
           "is the number that the first of its epochs has", "resume or first_epoch"),
    *_none("validation_steps validation_batch_size validation_freq", K, "train",
           "after each epoch, all of it, in blocks that fit into memory"),
    *_none("return_dict", K, "evaluate", "it is a dict, and is unpacked as Keras's list"),
    *_none("sample_weight", K, "evaluate", "figures are means over all samples"),
    *_none("verbose steps callbacks", K, "evaluate, predict", "nothing is printed or called on the way"),
    Word("random_state", S, "seed", "CNN"),
    *_none("layers", K, "CNN", "for each layer, one after the other", "add(layer)"),
    *_none("name trainable", K, "CNN", "set model.trainable, and name the variable"),
    # -- attributes of models
    *_none("predict_proba", S, "model", "predict gives the outputs, which are probabilities after softmax",
           "predict(X)"),
    *_none("score", S, "model", "", "evaluate(X, Y)['accuracy']"),
    *_none("partial_fit", S, "model", "it goes on where it stopped", "train(X, Y)"),
    *_none("zero_grad", T, "model", "", "zerograd()"),
    *_none("eval", T, "model", "predict and evaluate know what they do; calls take training=", "predict(X)"),
    *_none("to cuda cpu", T, "model", "all is computed by the CPU"),
    *_none("half float double", T, "model", "astype('float64')", "astype"),
    *_none("children modules named_modules named_children", T, "model", "", "layers or named_layers()"),
    *_none("build", K, "model", "a layer is built when it is added", "add(layer)"),
    *_none("pop", K, "model", "add those that you want to a new model", "a new CNN"),
    *_none("get_layer", K, "model", "by place", "layers[i]"),
    *_none("count_params", K, "model", "", "summary().total"),
    *_none("save", K, "model", "", "save_model(path)"),
    *_none("export", K, "model", "or export_html(path)", "tensorgrad.onnx.export"),
    *_none("weights trainable_weights trainable_variables variables", K, "model", "", "parameters()"),
    *_none("train_on_batch fit_generator", K, "model", "of arrays, or of batches", "train"),
    *_none("test_on_batch evaluate_generator", K, "model", "of arrays, or of batches", "evaluate"),
    *_none("predict_on_batch predict_generator", K, "model", "of arrays, or of batches", "predict"),
    *_none("predict_classes", K, "model", "", "predict(X).argmax(-1)"),
    # -- attributes of tensors
    *_none("view", T, "Tensor", "", "reshape"),
    *_none("permute", T, "Tensor", "axes as a tuple", "transpose"),
    *_none("unsqueeze", T, "Tensor", "", "expand_dims"),
    *_none("cuda cpu to", T, "Tensor", "all is computed by the CPU"),
    *_none("half float double", T, "Tensor", "", "astype"),
    *_none("add_ sub_ mul_ div_ zero_ fill_ copy_ clamp_ normal_ uniform_", T, "Tensor",
           "with no_grad(): t += ..., or t.data[...] = values", "data"),
    *_none("require_grad", "a misspelling", "Tensor", "", "requires_grad"),
    *_none("clamp", T, "Tensor", "", "clip"),
    *_none("numel", T, "Tensor", "", "size"),
    *_none("dim", T, "Tensor", "", "ndim"),
    # -- arguments of functions and methods of tensors
    Word("dim", T, "axis", _ALONG),
    Word("keepdim", T, "keepdims", _REDUCING),
    Word("dims", T, "axis", "flip, roll"),
    Word("shifts", T, "shift", "roll"),
    Word("p", T, "ord", "norm"),
    *_none("dim keepdim", T, "max, min", "the values alone; argmax and argmin have the indices", "axis or keepdims"),
    *_none("dim keepdim", T, "var, std", "divided by the count, and not by one less: ddof=1 is PyTorch's default",
           "axis or keepdims"),
    *_none("unbiased correction", T, "var, std", "divided by count - ddof, of which 0 is the default", "ddof"),
    *_none("dim", T, "sort", "the values alone; argsort has the indices", "axis"),
    *_none("descending stable", T, "sort, argsort", "rising, equal ones in their order; flip() the result"),
    *_none("dim", T, "split", "an int is the number of parts, and not their size", "axis"),
    # -- names in modules
    *_none("Model", K, "tensorgrad", "layers are added one by one", "CNN"),
    *_none("Sequential", f"{K}, {T}", "tensorgrad", "model.add(layer) for each; layers.Sequential is one layer", "CNN"),
    *_none("nn", T, "tensorgrad", "and tensorgrad.functional", "tensorgrad.layers"),
    *_none("models", K, "tensorgrad", "load_model is in tensorgrad itself", "CNN"),
    *_none("optimizers", K, "tensorgrad", "", "tensorgrad.optim"),
    *_none("utils", f"{K}, {T}", "tensorgrad", "losses.one_hot; data sets are in tensorgrad.data", "tensorgrad.data"),
    *_none("manual_seed", T, "tensorgrad", "", "seed(n)"),
    *_none("from_numpy as_tensor", T, "tensorgrad", "it shares memory where it can", "tensor(array)"),
    *_none("zeros ones empty full eye arange linspace zeros_like ones_like", T, "tensorgrad", "NumPy makes the numbers",
           "tensor(np.zeros(shape))"),
    *_none("rand randn randint", T, "tensorgrad", "NumPy makes the numbers",
           "tensor(np.random.default_rng(seed).random(shape))"),
    *_none("cuda device", T, "tensorgrad", "all is computed by the CPU"),
    *_none("clamp", T, "tensorgrad", "", "clip"),
    *_none("cat", T, "tensorgrad", "", "concatenate"),
    *_none("TensorBoard", K, "callbacks", "", "TensorBoardLogger"),
    *_none("ProgbarLogger", K, "callbacks", "", "ProgressLogger"),
    *_none("BackupAndRestore", K, "callbacks", "with model.resume(...)", "ModelCheckpoint"),
    *_none("OrbaxCheckpoint", K, "callbacks", "", "ModelCheckpoint"),
    *_none("TerminateOnNaN", K, "callbacks", "a loss that is not finite always stops the training"),
    *_none("History", K, "callbacks", "train returns it", "model.history"),
    *_none("CallbackList RemoteMonitor SwapEMAWeights", K, "callbacks", "a class with the hooks that you need",
           "a Callback of your own"),
    *_none("StepLR ExponentialDecay ExponentialLR CosineDecay CosineAnnealingLR LambdaLR lr_scheduler", f"{K}, {T}",
           "optim", "given to compile_model(lr=), or to LearningRateScheduler", "StepDecay, Exponential or Cosine"),
    *_none("LBFGS", T, "optim", "all of the data at once: minimize(closure, params)", "minimize"),
    *_none("ASGD RAdam Rprop SparseAdam Adafactor Muon Lion Lamb Ftrl", f"{K}, {T}", "optim",
           "a class with one method, update", "an Optimizer of your own"),
)  # fmt: skip
